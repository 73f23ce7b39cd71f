import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FIXED_PATHS, GEMINI_PREFIXES, readGeminiTarget } from './operations.ts'

type Row = [rest: string, model: string, action: string, operation: string]

const TARGETS: Row[] = [
  ['gemini-2.5-pro:generateContent', 'gemini-2.5-pro', 'generateContent', 'generate'],
  ['google/gemini:streamGenerateContent', 'google/gemini', 'streamGenerateContent', 'generate'],
  ['google/gemini:free:generateContent', 'google/gemini:free', 'generateContent', 'generate'],
  ['backend:a/b:c:countTokens', 'backend:a/b:c', 'countTokens', 'count'],
  ['models/x:embedContent', 'x', 'embedContent', 'embed'],
  ['models%2Fx%3AbatchEmbedContents', 'x', 'batchEmbedContents', 'embed'],
  ['a%2Fb%20c%C3%BC:generateContent', 'a/b cü', 'generateContent', 'generate'],
  ['broken%:generateContent', 'broken%', 'generateContent', 'generate'],
  ['broken%E0%A4:generateContent', 'broken%E0%A4', 'generateContent', 'generate'],
]

test('model and method of a Gemini path', () => {
  for (const [rest, model, action, operation] of TARGETS) {
    const target = readGeminiTarget(rest)
    assert.deepEqual(target, { model, endpoint: { surface: 'gemini', operation, action } }, rest)
  }
})

test('a path without a method of ours is none', () => {
  const others = [
    'x',
    '',
    ':generateContent',
    'x:',
    'x:predict',
    'x:GENERATECONTENT',
    'x:constructor',
    'x:toString',
    'x:generateContent/',
  ]
  for (const rest of others) assert.equal(readGeminiTarget(rest), null, rest)
})

test('every alias of a path asks for the same', () => {
  const endpoints = (end: string) =>
    new Set([...FIXED_PATHS].filter(([path]) => path.endsWith(end)).map(([, endpoint]) => endpoint))
  for (const end of ['/chat/completions', '/responses', '/embeddings', '/messages', '/count_tokens']) {
    assert.equal(endpoints(end).size, 1, end)
  }
  assert.ok(FIXED_PATHS.has('/v1/v1/messages') && FIXED_PATHS.has('/anthropic/v1/messages'))
  assert.ok(GEMINI_PREFIXES.every((prefix) => prefix.endsWith('/models/')))
})
