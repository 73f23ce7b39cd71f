import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, OutputFormat } from '#ir/chat-request.ts'
import { CLAUDE, encode, LLAMA, NOVA, reasoning, text, tool, turns } from './testbed.ts'

const SCHEMA = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false }
const schema = (some: object = {}): OutputFormat => ({
  type: 'schema',
  name: null,
  description: null,
  schema: SCHEMA,
  strict: null,
  ...some,
})
const JSON_MODE: OutputFormat = { type: 'json' }

const asked = (format: OutputFormat, target: Partial<TargetTraits> = {}, request: Partial<ChatRequest> = {}) =>
  encode({ format, paths: { format: '/response_format' }, ...request }, target)

const FORCED = 'emulated /response_format: a function that has to be called stands for the format'

test('a model that knows schemas is bound to one', () => {
  const { body, losses, formatTool } = asked(schema({ name: 'My answer', description: 'What it is.' }), {
    hasJsonSchema: true,
  })
  assert.deepEqual(body['outputConfig'], {
    textFormat: {
      type: 'json_schema',
      structure: { jsonSchema: { schema: JSON.stringify(SCHEMA), name: 'My_answer', description: 'What it is.' } },
    },
  })
  assert.deepEqual([losses, formatTool], [[], null])
  // Also beside tools and reasoning.
  const beside = asked(
    schema(),
    { hasJsonSchema: true },
    { tools: [tool('f')], reasoning: reasoning({ enabled: true }) },
  )
  assert.ok(beside.body['outputConfig'])
  assert.deepEqual(beside.losses, [])
})

test('objects that leave further members open are closed', () => {
  const open = {
    type: 'object',
    properties: {
      properties: { type: 'array', items: { type: 'object', properties: { b: { enum: [{ properties: {} }] } } } },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    $defs: { d: { anyOf: [{ type: 'object', properties: {} }, { type: 'null' }] } },
  }
  const { body, losses } = asked(schema({ schema: open }), { hasJsonSchema: true })
  const { textFormat } = body['outputConfig'] as { textFormat: { structure: { jsonSchema: { schema: string } } } }
  assert.deepEqual(JSON.parse(textFormat.structure.jsonSchema.schema), {
    ...open,
    properties: {
      properties: {
        type: 'array',
        items: { type: 'object', properties: { b: { enum: [{ properties: {} }] } }, additionalProperties: false },
      },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    $defs: { d: { anyOf: [{ type: 'object', properties: {}, additionalProperties: false }, { type: 'null' }] } },
    additionalProperties: false,
  })
  assert.deepEqual(losses, ['rewritten /response_format: Bedrock wants objects without further members'])
})

test('otherwise a function that has to be called stands for it', () => {
  for (const model of [CLAUDE, NOVA, 'arn:aws:bedrock:us-east-1:1:application-inference-profile/x']) {
    const { body, losses, formatTool } = asked(schema({ name: 'Ans wer', description: 'What it is.' }), { model })
    assert.deepEqual(body, {
      messages: [],
      toolConfig: {
        tools: [
          {
            toolSpec: {
              name: 'Ans_wer',
              description: 'Gives the answer. It is the answer itself. What it is.',
              inputSchema: { json: SCHEMA },
            },
          },
        ],
        toolChoice: { tool: { name: 'Ans_wer' } },
      },
    })
    assert.deepEqual([losses, formatTool], [[FORCED], 'Ans_wer'])
  }
})

test('JSON without a schema asks for an object that is not empty', () => {
  const { body, losses, formatTool } = asked(JSON_MODE)
  const { tools, toolChoice } = body['toolConfig'] as {
    tools: { toolSpec: Record<string, unknown> }[]
    toolChoice: unknown
  }
  assert.deepEqual(toolChoice, { tool: { name: 'json_answer' } })
  assert.deepEqual(tools[0]!.toolSpec['inputSchema'], { json: { type: 'object', additionalProperties: true } })
  assert.match(String(tools[0]!.toolSpec['description']), /must not be empty/)
  assert.deepEqual([losses, formatTool], [[FORCED], 'json_answer'])
})

test('words stand for it where nothing can be forced', () => {
  const rows: [string, Partial<TargetTraits>, Partial<ChatRequest>, OutputFormat?][] = [
    ['tools', {}, { tools: [tool('f')] }],
    ['reasoning', {}, { reasoning: reasoning({ enabled: true }) }],
    ['a model that cannot be forced', { model: LLAMA }, {}],
    ['a schema that is no object', {}, {}, schema({ schema: { type: 'array' } })],
    ['a schema that is none', {}, {}, schema({ schema: true })],
  ]
  for (const [name, target, request, format = schema()] of rows) {
    const { body, losses, formatTool } = asked(format, target, request)
    const [instruction] = body['system'] as { text: string }[]
    assert.match(instruction!.text, /^Answer with nothing but one JSON value: .* must match this JSON Schema:\n/)
    assert.ok(instruction!.text.endsWith(JSON.stringify(format.type === 'schema' ? format.schema : null)), name)
    assert.equal(formatTool, null, name)
    assert.deepEqual(losses, ['emulated /response_format: the model is told of the schema in words'], name)
  }
})

test('the words stand behind the instructions', () => {
  const instructions = [{ type: 'text', text: 'Be brief.', path: '/system' }] as const
  const { body } = asked(JSON_MODE, {}, { tools: [tool('f')], instructions, turns: turns(['user', text('x')]) })
  assert.deepEqual(body['system'], [
    { text: 'Be brief.' },
    { text: 'Answer with nothing but one JSON value: no other text, no code fence. It is an object.' },
  ])
})

test('text is what the model says anyway', () => {
  assert.deepEqual(asked({ type: 'text' }).body, { messages: [] })
})
