import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Dialect, dialectOf } from './dialect.ts'

const ANTHROPIC = { 'anthropic-version': '2023-06-01' }
const GOOGLE = { 'x-goog-api-key': 'sk-x' }
const CASES: [path: string, expected: Dialect, headers?: Record<string, string>][] = [
  ['/v1/chat/completions', 'openai'],
  ['/v1/responses', 'openai'],
  ['/nowhere', 'openai'],
  ['/v1/messages', 'anthropic'],
  ['/v1/messages/count_tokens', 'anthropic'],
  ['/v1/messages?beta=true', 'anthropic'],
  ['/v1/messagesx', 'openai'],
  ['/v1/v1/messages', 'anthropic'],
  ['/v1/v1/else', 'anthropic'],
  ['/api/v1/messages', 'anthropic'],
  ['/anthropic/v1/models', 'anthropic'],
  ['/anthropic/unknown', 'anthropic'],
  ['/v1beta/models', 'gemini'],
  ['/v1beta', 'gemini'],
  ['/v1beta/v1/models/x', 'gemini'],
  ['/v1beta/v1beta/models/x', 'gemini'],
  ['/api/v1beta/models/x:generateContent', 'gemini'],
  ['/v1/models/google/gemini-2.5-pro:streamGenerateContent', 'gemini'],
  ['/v1/models/x:free', 'openai'],
  ['/v1/models', 'openai'],
  ['/v1/models', 'anthropic', ANTHROPIC],
  ['/v1/models', 'gemini', GOOGLE],
  ['/v1/models', 'anthropic', { ...ANTHROPIC, ...GOOGLE }],
  ['/v1/v1/models', 'anthropic', ANTHROPIC],
  ['/v1/models/openai/gpt-4o', 'gemini', GOOGLE],
  ['/v1/chat/completions', 'openai', ANTHROPIC],
  ['/api/v1/models', 'openrouter'],
  ['/api/v1/models', 'openrouter', GOOGLE],
  ['/api/v1/models', 'anthropic', ANTHROPIC],
  ['/api/v1/v1/models', 'anthropic', ANTHROPIC],
  ['/api/v1/v1/messages', 'anthropic'],
  ['/api/v1/chat/completions', 'openrouter'],
  ['/api/admin/accounts', 'openrouter'],
  ['/api/logs', 'openrouter'],
  ['/api', 'openrouter'],
  ['/apiary', 'openai'],
]

for (const [path, expected, headers = {}] of CASES) {
  test(`${path} ${Object.keys(headers).join(' ')} speaks ${expected}`, () =>
    assert.equal(dialectOf(path, headers), expected))
}
