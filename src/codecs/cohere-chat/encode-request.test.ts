import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block } from '#ir/blocks.ts'
import type { FunctionTool, ReasoningControl } from '#ir/chat-request.ts'
import { encode } from './testbed.ts'

const text = (words: string): Block => ({ type: 'text', text: words, path: '/t' })
const user = (...blocks: Block[]) => ({ role: 'user' as const, path: '/m', blocks })
const assistant = (...blocks: Block[]) => ({ role: 'assistant' as const, path: '/m', blocks })
const thought = (words: string): Block => ({ type: 'reasoning', text: words, seal: null, id: null, path: '/r' })
const call: Block = { type: 'tool-call', kind: 'function', id: 'a', name: 'find', arguments: '{"q":1}', path: '/c' }
const result: Block = {
  type: 'tool-result',
  kind: 'function',
  callId: 'a',
  name: null,
  content: [text('found')],
  isError: null,
  path: '/s',
}
const tool = (name: string, strict: boolean | null = null): FunctionTool => ({
  type: 'function',
  name,
  description: 'D',
  schema: { type: 'object', properties: {} },
  strict,
  path: `/tools/${name}`,
})
const declared = (name: string) => ({
  type: 'function',
  function: { name, description: 'D', parameters: { type: 'object', properties: {} } },
})
const reasoning = (some: Partial<ReasoningControl>): ReasoningControl => ({
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
  ...some,
})

test('the smallest request', () => {
  const { body, losses } = encode({ turns: [user(text('Hi'))], stream: true })
  assert.deepEqual(body, {
    model: 'command-a-reasoning-08-2025',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true,
  })
  assert.deepEqual(losses, [])
})

test("an agent's turns: the plan, the calls, their results", () => {
  const { body } = encode({
    instructions: [{ type: 'text', text: 'Be brief.', path: '/s' }],
    turns: [
      user(text('Find')),
      assistant(thought('I will.'), call),
      user(result),
      assistant(thought('Hm'), text('Done')),
    ],
    tools: [tool('find')],
  })
  assert.deepEqual(body['messages'], [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Find' },
    {
      role: 'assistant',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'find', arguments: '{"q":1}' } }],
      tool_plan: 'I will.',
    },
    { role: 'tool', tool_call_id: 'a', content: 'found' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm' },
        { type: 'text', text: 'Done' },
      ],
    },
  ])
  assert.deepEqual(body['tools'], [declared('find')])
})

test('a thought goes back to a model that thinks only, and never one that another vendor sealed', () => {
  const turns = [user(text('x')), assistant(thought('Hm'), text('y'))]
  const plain = encode({ turns }, { reasoning: 'none' })
  assert.deepEqual((plain.body['messages'] as unknown[])[1], { role: 'assistant', content: 'y' })
  assert.deepEqual(plain.losses, ['dropped /r: the model takes no reasoning back'])
  const sealed: Block = { ...thought('Hm'), seal: { issuer: 'gemini', kind: 'signature', value: 'AA==' } } as Block
  assert.deepEqual(encode({ turns: [user(text('x')), assistant(sealed, text('y'))] }).losses, [
    'dropped /r: foreign_reasoning',
  ])
})

test('choices of tools and schemas that bind', () => {
  const tools = [tool('find', true), tool('list', true)]
  const all = encode({ turns: [user(text('x'))], tools, toolChoice: { type: 'required' } })
  assert.deepEqual([all.body['tool_choice'], all.body['strict_tools']], ['REQUIRED', true])
  const one = encode({
    turns: [user(text('x'))],
    tools: [tool('find', true), tool('list')],
    toolChoice: { type: 'tool', name: 'list' },
  })
  assert.deepEqual(
    [one.body['tool_choice'], one.body['tools'], one.body['strict_tools']],
    ['REQUIRED', [declared('list')], undefined],
  )
  assert.ok(
    one.losses.some((loss) => loss.startsWith('emulated /tool_choice')),
    one.losses.join(),
  )
})

test("settings in Cohere's words, within its bounds", () => {
  const { body, losses } = encode({
    turns: [user(text('x'))],
    sampling: { temperature: 0, topP: 1, topK: 40, seed: 7, frequencyPenalty: -1, minP: 0.1 },
    outputTokensMax: 50,
    stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'],
    endUser: 'u',
  })
  assert.deepEqual(
    [body['temperature'], body['p'], body['k'], body['seed'], body['frequency_penalty'], body['max_tokens']],
    [0, 0.99, 40, 7, 0, 50],
  )
  assert.deepEqual(body['stop_sequences'], ['a', 'b', 'c', 'd', 'e'])
  assert.deepEqual(losses.toSorted(), [
    'dropped /minP: Cohere has no minP',
    'dropped /user: Cohere takes no end user',
    'narrowed /frequencyPenalty: Cohere takes values from 0 to 1',
    'narrowed /stop: Cohere takes 5 stop sequences',
    'narrowed /topP: Cohere takes values from 0.01 to 0.99',
  ])
})

test('thinking: an effort is a share of the output limit, none turns it off', () => {
  const thinking = (control: Partial<ReasoningControl>, target = {}) =>
    encode({ turns: [user(text('x'))], outputTokensMax: 1000, reasoning: reasoning(control) }, target).body['thinking']
  assert.deepEqual(thinking({ budgetTokens: 300 }), { type: 'enabled', token_budget: 300 })
  assert.deepEqual(thinking({ effort: 'none' }), { type: 'disabled' })
  assert.deepEqual(thinking({ enabled: true }), { type: 'enabled' })
  assert.equal((thinking({ effort: 'high' }) as { token_budget: number }).token_budget, 800)
  assert.equal(thinking({ effort: 'high' }, { reasoning: 'none' }), undefined)
})

test('a format beside tools is told in words', () => {
  const format = { type: 'schema', name: 'n', schema: { type: 'object' }, strict: null, description: null } as never
  assert.deepEqual(encode({ turns: [user(text('x'))], format }).body['response_format'], {
    type: 'json_object',
    json_schema: { type: 'object' },
  })
  const { body } = encode({ turns: [user(text('x'))], format, tools: [tool('find')] })
  assert.equal(body['response_format'], undefined)
  assert.equal((body['messages'] as { role: string }[])[0]!.role, 'system')
})

test("images stay, other media are severe losses, documents of Cohere's own pass", () => {
  const media = (kind: 'image' | 'audio'): Block => ({
    type: 'media',
    kind,
    source: { type: 'base64', mimeType: kind === 'image' ? 'image/png' : 'audio/wav', data: 'AA==' },
    path: `/${kind}`,
  })
  const { body, losses } = encode({
    turns: [user(text('x'), media('image'), media('audio'))],
    ext: { 'openai-chat': { documents: ['d'], odd: 1 } },
  })
  assert.deepEqual((body['messages'] as { content: unknown }[])[0]!.content, [
    { type: 'text', text: 'x' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
  ])
  assert.deepEqual(body['documents'], ['d'])
  assert.deepEqual(losses.toSorted(), [
    'dropped /odd: Cohere knows no such member',
    'dropped! /audio: Cohere takes no audio',
  ])
})
