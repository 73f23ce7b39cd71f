import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, CustomTool, ServerTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import { call, encode, reasoning, result, tool, turns } from './testbed.ts'

const paths = { toolChoice: '/tool_choice', tools: '/tools' }
const OBJECT = { type: 'object', properties: {} }
const spec = (name: string, more: object = {}) => ({ toolSpec: { name, inputSchema: { json: OBJECT }, ...more } })
const CALLED = turns(
  ['assistant', call('a', 'f', '{}'), call('b', 'g', '{}')],
  ['user', result('a', 'r'), result('b', 'r')],
)

function told(request: Partial<ChatRequest>, target: Partial<TargetTraits> = {}): unknown[] {
  const { body, losses } = encode({ paths, ...request }, target)
  return [body['toolConfig'], ...losses]
}
const chosen = (toolChoice: ToolChoice, tools: Tool[] = [tool('f'), tool('g')]) => told({ toolChoice, tools })

test('a tool with all that it says, and one that says little', () => {
  const schema = { $schema: 'x', type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }
  const tools = [
    tool('f', { description: 'Does.', schema }),
    tool('g', { description: '', schema: null }),
    tool('h', { schema: {} }),
  ]
  assert.deepEqual(told({ tools }), [
    {
      tools: [
        { toolSpec: { name: 'f', description: 'Does.', inputSchema: { json: schema } } },
        spec('g'),
        { toolSpec: { name: 'h', inputSchema: { json: { type: 'object' } } } },
      ],
    },
  ])
})

test('strict binds where the model can be bound', () => {
  const strict = (value: boolean, hasJsonSchema: boolean) =>
    told({ tools: [tool('f', { strict: value })] }, { hasJsonSchema })
  assert.deepEqual(strict(true, true), [{ tools: [spec('f', { strict: true })] }])
  assert.deepEqual(strict(false, true), [{ tools: [spec('f', { strict: false })] }])
  assert.deepEqual(strict(false, false), [{ tools: [spec('f')] }])
  assert.deepEqual(told({ tools: [tool('f')] }, { hasJsonSchema: true }), [{ tools: [spec('f')] }])
  assert.deepEqual(strict(true, false), [
    { tools: [spec('f')] },
    'dropped /tools/f/strict: the model cannot be bound to a schema',
  ])
})

test('every choice', () => {
  const both = [spec('f'), spec('g')]
  assert.deepEqual(chosen({ type: 'auto' }), [{ tools: both }])
  assert.deepEqual(chosen({ type: 'required' }), [{ tools: both, toolChoice: { any: {} } }])
  assert.deepEqual(chosen({ type: 'tool', name: 'g' }), [{ tools: both, toolChoice: { tool: { name: 'g' } } }])
  assert.deepEqual(chosen({ type: 'allowed', names: ['g'], isRequired: false }), [{ tools: [spec('g')] }])
  assert.deepEqual(chosen({ type: 'allowed', names: ['g'], isRequired: true }), [
    { tools: [spec('g')], toolChoice: { any: {} } },
  ])
  assert.deepEqual(chosen({ type: 'none' }), [undefined])
  assert.deepEqual(chosen({ type: 'opaque', value: { type: 'web_search' } }), [
    { tools: both },
    'dropped! /tool_choice: Bedrock knows no such choice',
  ])
  assert.deepEqual(chosen({ type: 'required' }, []), [undefined])
})

test('tools that were called are told, whatever was chosen', () => {
  assert.deepEqual(told({ turns: CALLED, tools: [tool('f'), tool('g')], toolChoice: { type: 'none' } }), [
    { tools: [spec('f'), spec('g')] },
    'narrowed /tool_choice: tools that were called stay callable',
  ])
  const description = 'Not available any more: do not call it.'
  assert.deepEqual(told({ turns: CALLED }), [
    { tools: [spec('f', { description }), spec('g', { description })] },
    'emulated /tools: Bedrock wants the tools that were called before',
  ])
  assert.deepEqual(told({ turns: turns(['user', result('a', 'r')]), toolChoice: { type: 'none' } }), [
    { tools: [spec('tool', { description })] },
    'emulated /tools: Bedrock wants the tools that were called before',
  ])
})

test('a model that thinks cannot be forced', () => {
  const thinks = { reasoning: reasoning({ enabled: true }), tools: [tool('f')] }
  const loss = 'narrowed /tool_choice: the model cannot be forced to call a tool while it thinks'
  const tools = { tools: [spec('f')] }
  assert.deepEqual(told({ ...thinks, toolChoice: { type: 'required' } }), [tools, loss])
  assert.deepEqual(told({ ...thinks, toolChoice: { type: 'tool', name: 'f' } }), [tools, loss])
  assert.deepEqual(told({ ...thinks, toolChoice: { type: 'auto' } }), [tools])
  assert.deepEqual(told({ ...thinks, toolChoice: { type: 'required' } }, { reasoning: 'adaptive' }), [tools, loss])
})

test('a custom tool becomes a function with one text', () => {
  const custom: CustomTool = {
    type: 'custom',
    name: 'patch',
    description: 'Patches.',
    format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' },
    path: '/tools/0',
  }
  const { body, emulatedCustomTools, losses } = encode({
    tools: [custom, { ...custom, name: 'free', format: { type: 'text' } }],
    turns: turns(
      ['user', 'x'],
      ['assistant', { ...call('a', 'patch', 'x\n"'), kind: 'custom' } as never],
      ['user', result('a', 'r')],
    ),
  })
  const input = (more: object) => ({
    json: { type: 'object', properties: { input: { type: 'string', ...more } }, required: ['input'] },
  })
  assert.deepEqual(body['toolConfig'], {
    tools: [
      {
        toolSpec: {
          name: 'patch',
          description: 'Patches.',
          inputSchema: input({ description: 'Must match this lark grammar:\nstart: "x"' }),
        },
      },
      { toolSpec: { name: 'free', description: 'Patches.', inputSchema: input({}) } },
    ],
  })
  assert.deepEqual((body['messages'] as { content: unknown[] }[])[1]!.content, [
    { toolUse: { toolUseId: 'a', name: 'patch', input: { input: 'x\n"' } } },
  ])
  assert.deepEqual([...emulatedCustomTools], ['patch', 'free'])
  const loss = 'emulated /tools/0: a custom tool becomes a function with one text'
  assert.deepEqual(losses, [loss, loss])
})

test("others' own tools and members", () => {
  const search: ServerTool = {
    type: 'server',
    name: 'web_search',
    kind: 'web-search',
    issuer: 'anthropic-messages',
    value: {},
    path: '/tools/0',
  }
  assert.deepEqual(told({ tools: [search, tool('f', { ext: { 'anthropic-messages': { defer_loading: true } } })] }), [
    { tools: [spec('f')] },
    'dropped! /tools/0: Bedrock has no tool web_search',
    'dropped /tools/f/defer_loading: Bedrock knows no such member',
  ])
})
