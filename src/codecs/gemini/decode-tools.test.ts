import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertInvalid, decoded } from './testbed.ts'

test('functions and the tools that Google runs', () => {
  const { tools } = decoded({
    tools: [
      {
        functionDeclarations: [
          { name: 'f', description: '', parameters: { type: 'OBJECT', properties: { a: { type: 'STRING' } } } },
          { name: 'g', parameters_json_schema: { type: 'object' }, behavior: 'BLOCKING' },
          { name: 'h' },
        ],
        google_search: {},
      },
      { codeExecution: null, urlContext: {}, newTool: { a: 1 } },
    ],
  })
  const base = { type: 'function', strict: null }
  const at = (index: number) => `/tools/0/functionDeclarations/${index}`
  const server = { type: 'server', issuer: 'gemini' }
  assert.deepEqual(tools, [
    {
      ...base,
      name: 'f',
      description: '',
      schema: { type: 'object', properties: { a: { type: 'string' } } },
      path: at(0),
    },
    {
      ...base,
      name: 'g',
      description: null,
      schema: { type: 'object' },
      path: at(1),
      ext: { gemini: { behavior: 'BLOCKING' } },
    },
    { ...base, name: 'h', description: null, schema: null, path: at(2) },
    {
      ...server,
      name: 'googleSearch',
      kind: 'web-search',
      value: { googleSearch: {} },
      path: '/tools/0/google_search',
    },
    { ...server, name: 'urlContext', kind: 'web-fetch', value: { urlContext: {} }, path: '/tools/1/urlContext' },
    { ...server, name: 'newTool', kind: 'other', value: { newTool: { a: 1 } }, path: '/tools/1/newTool' },
  ])
  assert.equal(
    decoded({ tools: { function_declarations: { name: 'f' } } }).tools[0]!.path,
    '/tools/function_declarations',
  )
  assertInvalid({ contents: [], tools: [{ functionDeclarations: [{}] }] }, 'tools.0.functionDeclarations.0.name')
})

test('which tool may be called', () => {
  const choice = (functionCallingConfig: object) => decoded({ toolConfig: { functionCallingConfig } })
  assert.equal(choice({}).toolChoice, null)
  assert.equal(choice({ mode: 'MODE_UNSPECIFIED' }).toolChoice, null)
  assert.deepEqual(choice({ mode: 'AUTO' }).toolChoice, { type: 'auto' })
  assert.deepEqual(choice({ mode: 'none' }).toolChoice, { type: 'none' })
  assert.deepEqual(choice({ mode: 'ANY' }).toolChoice, { type: 'required' })
  assert.deepEqual(choice({ mode: 'ANY', allowedFunctionNames: ['f'] }).toolChoice, { type: 'tool', name: 'f' })
  assert.deepEqual(choice({ mode: 'ANY', allowed_function_names: ['f', 'g'] }).toolChoice, {
    type: 'allowed',
    names: ['f', 'g'],
    isRequired: true,
  })
  const validated = choice({ mode: 'VALIDATED', allowedFunctionNames: ['f'] })
  assert.deepEqual(validated.toolChoice, { type: 'allowed', names: ['f'], isRequired: false })
  assert.deepEqual(validated.ext, { gemini: { toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } } } })
  assert.deepEqual(decoded({ toolConfig: { retrievalConfig: {} } }).ext, {
    gemini: { toolConfig: { retrievalConfig: {} } },
  })
  assertInvalid(
    { contents: [], toolConfig: { functionCallingConfig: { mode: 'SOME' } } },
    'toolConfig.functionCallingConfig.mode',
  )
})
