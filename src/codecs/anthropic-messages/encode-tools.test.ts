import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ChatRequest, FunctionTool, OutputFormat, ReasoningControl, Tool } from '#ir/chat-request.ts'
import { encoded, lost } from './testbed.ts'

const SCHEMA = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false }
const tool = (name: string, more: Partial<FunctionTool> = {}): FunctionTool => ({
  type: 'function',
  name,
  description: null,
  schema: SCHEMA,
  strict: null,
  path: '/tools/0',
  ...more,
})
const told = (name: string, more: object = {}) => ({ name, input_schema: SCHEMA, ...more })
const REASONING: ReasoningControl = {
  enabled: true,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
}

describe('definitions', () => {
  const definition = (each: Tool, target = {}) => {
    const result = encoded({ tools: [each] }, target)
    return [(result.body['tools'] as unknown[] | undefined)?.[0], lost(result)]
  }

  test('functions', () => {
    assert.deepEqual(definition(tool('f')), [told('f'), []])
    assert.deepEqual(definition(tool('f', { description: '', cacheControl: { type: 'ephemeral' } })), [
      told('f', { description: '', cache_control: { type: 'ephemeral' } }),
      [],
    ])
    assert.deepEqual(definition(tool('f', { schema: null })), [
      { name: 'f', input_schema: { type: 'object', properties: {} } },
      [],
    ])
    assert.deepEqual(definition(tool('f', { schema: { anyOf: [] }, ext: { 'openai-chat': { x: 1 } } })), [
      { name: 'f', input_schema: { type: 'object', properties: {} } },
      ['dropped /tools/0/x', 'narrowed /tools/0'],
    ])
  })

  test('strict where the API can be', () => {
    assert.deepEqual(definition(tool('f', { strict: true })), [told('f', { strict: true }), []])
    assert.deepEqual(definition(tool('f', { strict: false })), [told('f', { strict: false }), []])
    assert.deepEqual(definition(tool('f', { strict: true }), { hasJsonSchema: false }), [
      told('f'),
      ['dropped /tools/0/strict'],
    ])
    assert.deepEqual(definition(tool('f', { strict: false }), { hasJsonSchema: false }), [told('f'), []])
    const open = { type: 'object', properties: {} }
    assert.deepEqual(definition(tool('f', { strict: true, schema: open })), [
      { name: 'f', input_schema: open },
      ['dropped /tools/0/strict'],
    ])
  })

  test('free text is a function of one argument', () => {
    const custom = { type: 'custom', name: 'patch', description: 'd', path: '/tools/0' } as const
    const input = { type: 'string' }
    const input_schema = { type: 'object', properties: { input }, required: ['input'] }
    const plain = encoded({ tools: [{ ...custom, format: null }] })
    assert.deepEqual(plain.body['tools'], [{ name: 'patch', description: 'd', input_schema }])
    assert.deepEqual([plain.emulatedCustomTools, lost(plain)], [['patch'], ['emulated /tools/0']])
    const rule = { syntax: 'lark', definition: 'start: "a"' }
    for (const format of [
      { type: 'grammar', ...rule },
      { type: 'grammar', grammar: rule },
    ]) {
      const [told] = definition({ ...custom, format }) as [{ input_schema: { properties: { input: object } } }]
      assert.deepEqual(told.input_schema.properties.input, {
        type: 'string',
        description: 'Text in this lark grammar:\nstart: "a"',
      })
    }
  })

  test('tools of the API’s own, and of others', () => {
    const search = { type: 'server', name: 'web_search', kind: 'web-search', path: '/tools/0' } as const
    const value = { type: 'web_search_20250305', name: 'web_search' }
    assert.deepEqual(definition({ ...search, issuer: 'anthropic-messages', value }), [value, []])
    assert.deepEqual(definition({ ...search, issuer: 'gemini', value: { googleSearch: {} } }), [
      undefined,
      ['dropped! /tools/0'],
    ])
  })
})

describe('choices', () => {
  const tools = [tool('f'), tool('g')]
  const choice = (request: Partial<ChatRequest>) => {
    const result = encoded({ tools, paths: { toolChoice: '/tool_choice' }, ...request })
    return [result.body['tool_choice'], lost(result)]
  }

  test('in the words of the API', () => {
    assert.deepEqual(choice({}), [undefined, []])
    assert.deepEqual(choice({ toolChoice: { type: 'auto' } }), [{ type: 'auto' }, []])
    assert.deepEqual(choice({ toolChoice: { type: 'none' } }), [{ type: 'none' }, []])
    assert.deepEqual(choice({ toolChoice: { type: 'required' } }), [{ type: 'any' }, []])
    assert.deepEqual(choice({ toolChoice: { type: 'tool', name: 'f' } }), [{ type: 'tool', name: 'f' }, []])
    assert.deepEqual(choice({ toolChoice: { type: 'opaque', value: {} } }), [undefined, ['dropped! /tool_choice']])
  })

  test('parallel calls are said the other way round', () => {
    const serial = { disable_parallel_tool_use: true }
    assert.deepEqual(choice({ parallelToolCalls: false }), [{ type: 'auto', ...serial }, []])
    assert.deepEqual(choice({ parallelToolCalls: true }), [{ type: 'auto', disable_parallel_tool_use: false }, []])
    const required = { toolChoice: { type: 'required' }, parallelToolCalls: false } as const
    assert.deepEqual(choice(required), [{ type: 'any', ...serial }, []])
    assert.deepEqual(choice({ toolChoice: { type: 'none' }, parallelToolCalls: false }), [{ type: 'none' }, []])
    assert.deepEqual(choice({ tools: [], parallelToolCalls: false }), [undefined, []])
  })

  test('only allowed tools are told', () => {
    const result = encoded({ tools, toolChoice: { type: 'allowed', names: ['g'], isRequired: true } })
    assert.deepEqual(result.body['tools'], [told('g')])
    assert.deepEqual([result.body['tool_choice'], lost(result)], [{ type: 'any' }, ['rewritten /toolChoice']])
  })

  test('calls are not forced while the model reasons, nor without tools', () => {
    const forced = { toolChoice: { type: 'tool', name: 'f' } } as const
    assert.deepEqual(choice({ ...forced, reasoning: REASONING }), [{ type: 'auto' }, ['narrowed /tool_choice']])
    assert.deepEqual(choice({ ...forced, tools: [] }), [undefined, ['dropped /tool_choice']])
  })
})

describe('formats', () => {
  const schema = { type: 'object', properties: { n: { type: 'integer', minimum: 1 } }, required: ['n'] }
  const format: OutputFormat = { type: 'schema', name: 'an answer', description: null, schema, strict: true }
  const paths = { format: '/response_format' }

  test('text needs nothing', () => assert.deepEqual(encoded({ format: { type: 'text' } }).losses, []))

  test('a schema is asked for as far as it is enforced', () => {
    const result = encoded({ format, paths })
    const limited = {
      type: 'object',
      properties: { n: { type: 'integer' } },
      required: ['n'],
      additionalProperties: false,
    }
    assert.deepEqual(result.body['output_config'], { format: { type: 'json_schema', schema: limited } })
    assert.deepEqual(lost(result), ['narrowed /response_format', 'narrowed /response_format'])
  })

  test('a forced tool stands for it where the model has none', () => {
    const answer = { name: 'an_answer', description: 'Gives the answer.', input_schema: schema }
    const ask = (request: Partial<ChatRequest>) => encoded({ format, paths, ...request }, { hasJsonSchema: false })
    const alone = ask({})
    assert.deepEqual(alone.body['tools'], [answer])
    assert.deepEqual(alone.body['tool_choice'], { type: 'tool', name: 'an_answer' })
    assert.deepEqual([alone.formatTool, lost(alone)], ['an_answer', ['emulated /response_format']])
    const beside = ask({ tools: [tool('an_answer')], parallelToolCalls: false })
    assert.deepEqual(beside.body['tools'], [told('an_answer'), { ...answer, name: 'an_answer_' }])
    assert.deepEqual(beside.body['tool_choice'], { type: 'any', disable_parallel_tool_use: true })
    const reasoning = ask({ reasoning: REASONING })
    assert.equal(reasoning.body['thinking'], undefined)
    assert.deepEqual(lost(reasoning), ['emulated /response_format', 'dropped /reasoning'])
    const list = ask({ format: { ...format, schema: { type: 'array' } } })
    assert.deepEqual([list.formatTool, lost(list)], [null, ['dropped! /response_format']])
  })

  test('JSON of any kind is asked for in words, unless the client has done so', () => {
    const json = { format: { type: 'json' }, paths } as const
    const asked = encoded({ ...json, instructions: [{ type: 'text', text: 'Be brief.', path: '/instructions' }] })
    const [first, second] = asked.body['system'] as { text: string }[]
    assert.deepEqual([first!.text, /JSON object/.test(second!.text)], ['Be brief.', true])
    assert.deepEqual(lost(asked), ['emulated /response_format'])
    const said = encoded({ ...json, instructions: [{ type: 'text', text: 'Answer in JSON.', path: '/instructions' }] })
    assert.equal(said.body['system'], 'Answer in JSON.')
    assert.deepEqual(lost(said), ['narrowed /response_format'])
  })
})
