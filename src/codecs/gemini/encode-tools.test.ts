import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatRequest, FunctionTool, OutputFormat, Tool, ToolChoice } from '#ir/chat-request.ts'
import { BUDGET_TARGET, LEVEL_TARGET, sent } from './testbed.ts'

const SCHEMA = { type: 'object', $defs: {}, properties: { a: { type: ['string', 'null'] } } }
const tool = (name: string, more: Partial<FunctionTool> = {}): Tool => ({
  type: 'function',
  name,
  description: null,
  schema: null,
  strict: null,
  path: `/${name}`,
  ...more,
})
const search: Tool = {
  type: 'server',
  name: 'googleSearch',
  kind: 'web-search',
  issuer: 'gemini',
  value: { googleSearch: {} },
  path: '/s',
}
const paths = { format: '/f', toolChoice: '/tc' }

test('functions keep their schema as it is', () => {
  const { body, losses } = sent({
    tools: [
      search,
      tool('f', { description: '', schema: SCHEMA, strict: false, ext: { gemini: { behavior: 'BLOCKING' } } }),
      tool('g'),
    ],
  })
  assert.deepEqual(body['tools'], [
    {
      functionDeclarations: [
        { name: 'f', description: '', parametersJsonSchema: SCHEMA, behavior: 'BLOCKING' },
        { name: 'g' },
      ],
    },
    { googleSearch: {} },
  ])
  assert.deepEqual(losses, [])
})

test('what a tool cannot say here is declared', () => {
  const { losses } = sent({
    tools: [
      tool('f', { strict: true, cacheControl: {}, ext: { 'anthropic-messages': { defer_loading: true } } }),
      { ...search, issuer: 'anthropic-messages', path: '/theirs' } as Tool,
    ],
  })
  assert.deepEqual(losses, [
    'dropped /f/defer_loading',
    'dropped /f/cache_control',
    'dropped /f/strict',
    'dropped /theirs!',
  ])
})

test('a custom tool is declared as a function of one text', () => {
  const custom: Tool = { type: 'custom', name: 'c', description: 'd', format: { type: 'grammar' }, path: '/c' }
  const { body, losses, emulatedCustomTools } = sent({ tools: [custom] })
  assert.deepEqual(body['tools'], [
    {
      functionDeclarations: [
        {
          name: 'c',
          description: 'd',
          parametersJsonSchema: { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] },
        },
      ],
    },
  ])
  assert.deepEqual([losses, emulatedCustomTools], [['emulated /c', 'dropped /c/format'], ['c']])
})

test('every choice has its mode', () => {
  const choose = (toolChoice: ToolChoice, tools: readonly Tool[] = [tool('f'), tool('g')]) => {
    const { body, losses } = sent({ tools, toolChoice, paths })
    const config = body['toolConfig'] as { functionCallingConfig: unknown } | undefined
    return [config?.functionCallingConfig, losses]
  }
  assert.deepEqual(choose({ type: 'auto' }), [{ mode: 'AUTO' }, []])
  assert.deepEqual(choose({ type: 'none' }), [{ mode: 'NONE' }, []])
  assert.deepEqual(choose({ type: 'required' }), [{ mode: 'ANY' }, []])
  assert.deepEqual(choose({ type: 'tool', name: 'f' }), [{ mode: 'ANY', allowedFunctionNames: ['f'] }, []])
  const names = ['f', 'g']
  assert.deepEqual(choose({ type: 'allowed', names, isRequired: true }), [
    { mode: 'ANY', allowedFunctionNames: names },
    [],
  ])
  assert.deepEqual(choose({ type: 'allowed', names, isRequired: false }), [
    { mode: 'VALIDATED', allowedFunctionNames: names },
    [],
  ])
  assert.deepEqual(choose({ type: 'opaque', value: 1 }), [undefined, ['dropped /tc!']])
  assert.deepEqual(choose({ type: 'tool', name: 'googleSearch' }, [search]), [undefined, ['dropped /tc!']])
  assert.deepEqual(choose({ type: 'required' }, []), [undefined, []])
})

test("Gemini's own configuration of tools is written back", () => {
  const { body } = sent({
    tools: [tool('f')],
    toolChoice: { type: 'auto' },
    ext: { gemini: { toolConfig: { functionCallingConfig: { mode: 'VALIDATED' }, retrievalConfig: {} } } },
  })
  assert.deepEqual(body['toolConfig'], { functionCallingConfig: { mode: 'VALIDATED' }, retrievalConfig: {} })
})

const schemaFormat: OutputFormat = { type: 'schema', name: 'n', description: null, schema: SCHEMA, strict: true }
const ask = (request: Partial<ChatRequest>, target = BUDGET_TARGET) => {
  const { body, losses, formatTool } = sent({ paths, ...request }, target)
  return { config: body['generationConfig'], tools: body['tools'], toolConfig: body['toolConfig'], losses, formatTool }
}

test('formats are asked for natively', () => {
  assert.deepEqual(ask({ format: { type: 'text' } }).config, { responseMimeType: 'text/plain' })
  assert.deepEqual(ask({ format: { type: 'json' } }).config, { responseMimeType: 'application/json' })
  assert.deepEqual(ask({ format: schemaFormat }), {
    config: { responseMimeType: 'application/json', responseJsonSchema: SCHEMA },
    tools: undefined,
    toolConfig: undefined,
    losses: ['narrowed /f'],
    formatTool: null,
  })
  const both = ask({ format: schemaFormat, tools: [tool('f')] }, LEVEL_TARGET)
  assert.deepEqual(both.config, { responseMimeType: 'application/json', responseJsonSchema: SCHEMA })
})

test('before Gemini 3 a function stands for a schema beside functions', () => {
  const declared = (...names: string[]) => [
    {
      functionDeclarations: [
        ...names.slice(0, -1).map((name) => ({ name })),
        { name: names.at(-1), description: 'Gives the final answer.', parametersJsonSchema: SCHEMA },
      ],
    },
  ]
  assert.deepEqual(ask({ format: schemaFormat, tools: [tool('f')] }), {
    config: undefined,
    tools: declared('f', 'json_answer'),
    toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    losses: ['emulated /f'],
    formatTool: 'json_answer',
  })
  assert.equal(ask({ format: schemaFormat, tools: [tool('json_answer')] }).formatTool, 'json_answer_')
  const only = { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['json_answer'] } }
  const forbidden = ask({ format: schemaFormat, tools: [tool('f')], toolChoice: { type: 'none' } })
  assert.deepEqual(forbidden.toolConfig, only)
  const without = ask({ format: schemaFormat }, { ...BUDGET_TARGET, hasJsonSchema: false })
  assert.deepEqual([without.tools, without.toolConfig], [declared('json_answer'), only])
  assert.deepEqual(ask({ format: { type: 'json' }, tools: [tool('f')] }).losses, ['dropped /f'])
  assert.deepEqual(ask({ format: { type: 'json' }, tools: [search] }).config, { responseMimeType: 'application/json' })
})
