import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import type { Json } from './gateway.ts'
import { errorBody, type Rig, startNative } from './openrouter-rig.ts'

/** OpenRouter's provider for the AI SDK, changed in nothing but its base URL (R7). */

suite('@openrouter/ai-sdk-provider', () => {
  let rig: Rig
  before(async () => {
    rig = await startNative()
  })
  after(() => rig[Symbol.asyncDispose]())

  const provider = () => createOpenRouter({ apiKey: rig.gateway.key, baseURL: `${rig.gateway.url}/api/v1` })

  test('generateText with routing, its usage and its cost', async () => {
    const model = provider().chat('acme/two', {
      models: ['acme/one'],
      provider: { order: ['cheap'], allow_fallbacks: true },
    })
    rig.upstreams['dear']!.script({ status: 500, body: errorBody })
    const { text, usage, providerMetadata } = await generateText({ model, prompt: 'hi', maxRetries: 0 })
    assert.deepEqual([text, usage.inputTokens, usage.outputTokens], ['from cheap', 10, 5])
    const told = (providerMetadata!['openrouter'] as Json).usage
    assert.equal(told.cost, 0.000025)
  })

  test('streamText with a tool and its result', async () => {
    rig.upstreams['dear']!.script({
      frames: [
        {
          tool_calls: [
            { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
          ],
        },
      ].flatMap((delta) => [chunk({ role: 'assistant', ...delta }, null), chunk({}, 'tool_calls'), 'data: [DONE]\n\n']),
    })
    const weather = tool({
      description: 'weather of a city',
      inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
      execute: async ({ city }) => `sunny in ${city}`,
    })
    const result = streamText({
      model: provider().chat('acme/one'),
      prompt: 'hi',
      tools: { weather },
      stopWhen: stepCountIs(2),
      maxRetries: 0,
    })
    let text = ''
    for await (const part of result.textStream) text += part
    assert.equal(text, 'from dear')
    assert.match(rig.upstreams['dear']!.received.at(-1)!.bytes.toString(), /sunny in Rome/)
  })

  test('no route: one call, and an error that says why', async () => {
    const model = provider().chat('acme/one', { provider: { only: ['nobody'] } })
    const refused = generateText({ model, prompt: 'hi' })
    await assert.rejects(
      refused,
      (error) => APICallError.isInstance(error) && error.statusCode === 404 && !error.isRetryable,
    )
  })
})

const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'dear-one',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`
