import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seal } from '#ir/blocks.ts'
import { readPrompt } from './prompt.ts'
import { answer, call, declare, media, requestOf, say, turn } from './testbed.ts'

const seal = (value: string, issuer: Seal['issuer'] = 'anthropic-messages'): Seal => ({
  issuer,
  kind: 'signature',
  value,
})
const think = (text: string, value: string | null = null) =>
  ({ type: 'reasoning', path: '', text, seal: value === null ? null : seal(value), id: null }) as const

test('an empty request has nothing', () => {
  const { texts, ...rest } = readPrompt(requestOf({}), 'json')
  assert.deepEqual(Object.values(texts).flat(), [])
  const none = { turns: 0, systems: 0, calls: 0, results: 0, tools: 0, unknowns: 0, hasCitations: false }
  assert.deepEqual({ ...rest }, { ...none, media: [], seals: [], pastSeals: [] })
})

test('a conversation with a tool is the same in every client protocol', () => {
  const [question, use, result, reply] = [say('Why?'), call('find', '{"a":1}'), answer(say('found')), say('So.')]
  const messages = [
    turn('user', question),
    turn('assistant', say('Hm.'), use),
    turn('user', result),
    turn('assistant', reply),
  ]
  const chat = [
    turn('system', say('Be brief.')),
    ...messages.slice(0, 2),
    turn('tool', result),
    turn('assistant', reply),
  ]
  const items = [
    turn('user', question),
    turn('assistant', say('Hm.')),
    turn('assistant', use),
    turn('user', result),
    turn('assistant', reply),
  ]
  const instructions = [{ type: 'text', path: '', text: 'Be brief.' }] as const
  const read = [
    requestOf({ instructions, turns: messages }),
    requestOf({ turns: chat }),
    requestOf({ instructions, turns: items }),
  ].map((request) => readPrompt(request, 'json'))
  for (const { turns, systems, calls, results, texts } of read) {
    assert.deepEqual([turns, systems, calls, results], [3, 1, 1, 1])
    assert.deepEqual([...texts.instructions, ...texts.text].toSorted(), ['Be brief.', 'Hm.', 'So.', 'Why?'])
    assert.deepEqual([texts.calls, texts.results], [['find', '{"a":1}'], ['found']])
  }
})

test('reasoning is open until the user speaks again', () => {
  const turns = [
    turn('user', say('One?')),
    turn('assistant', think('old', 'xx'), call('find', '')),
    turn('user', answer()),
    turn('assistant', say('1')),
    turn('user', say('Two?')),
    turn('assistant', think('new', 'yyy'), { ...call('find', ''), seal: seal('zzzz', 'gemini') }),
    turn('user', answer()),
  ]
  const { texts, seals, pastSeals } = readPrompt(requestOf({ turns }), 'json')
  assert.deepEqual([texts.pastReasoning, texts.reasoning], [['old'], ['new']])
  assert.deepEqual([pastSeals, seals], [[2], [3, 4]])
})

test('reasoning details of a chat host are no seal of their own length', () => {
  const details = { ...think('seen'), seal: seal('[{"type":"reasoning.text"}]', 'openai-chat') }
  assert.deepEqual(readPrompt(requestOf({ turns: [turn('assistant', details)] }), 'json').seals, [])
})

test('media are kept, plain-text documents are text, titles too', () => {
  const picture = media('image', { type: 'url', mimeType: null, url: 'https://example.com/a.png' })
  const note = media('document', { type: 'text', mimeType: null, text: 'note' }, { title: 'Title' })
  const cited = media(
    'document',
    { type: 'text', mimeType: null, text: 'cited' },
    {
      ext: { 'anthropic-messages': { citations: { enabled: true } } },
    },
  )
  const turns = [turn('user', picture, note), turn('user', answer(cited))]
  const prompt = readPrompt(requestOf({ turns }), 'json')
  assert.deepEqual(prompt.media, [picture])
  assert.deepEqual([prompt.texts.text, prompt.texts.results], [['Title', 'note'], ['cited']])
  assert.equal(prompt.hasCitations, true)
})

test('names, refusals, declarations and schemas are text; what only its issuer knows is counted as unknown', () => {
  const turns = [
    { ...turn('user', say('Hi')), name: 'ada' },
    turn(
      'assistant',
      { type: 'refusal', path: '', text: 'No.' },
      { type: 'opaque', path: '', issuer: 'gemini', value: { x: 1 } },
    ),
  ]
  const search = {
    type: 'server',
    path: '',
    name: 's',
    kind: 'web-search',
    issuer: 'gemini',
    value: { s: {} },
  } as const
  const format = { type: 'schema', name: null, description: null, schema: { type: 'string' }, strict: null } as const
  const prompt = readPrompt(requestOf({ turns, tools: [declare('find'), search], format }), 'json')
  assert.deepEqual(prompt.texts.text, ['ada', 'Hi', 'No.', '{"x":1}'])
  assert.deepEqual([prompt.texts.tools, prompt.texts.schema], [['{"name":"find"}', '{"s":{}}'], ['{"type":"string"}']])
  assert.deepEqual([prompt.tools, prompt.unknowns], [2, 2])
})
