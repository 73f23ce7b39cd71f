import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Loss, Losses } from '#ir/extensions.ts'
import { CLIENT_CODECS, UPSTREAM_CODECS } from './index.ts'
import { traitsOf } from './model-traits.ts'
import type { TargetTraits } from './translation.ts'

type Upstream = keyof typeof UPSTREAM_CODECS

/** What an upstream gets of a request of another protocol, as JSON text, and what was lost. */
function encoded(protocol: Upstream, body: object, traits: Partial<TargetTraits>): { text: string; losses: Loss[] } {
  const known = traitsOf({
    protocol,
    backendType: 'any',
    upstreamModel: 'm',
    vendor: '',
    capabilities: new Set(),
    outputTokensMax: 1000,
    anthropicVersion: '2023-06-01',
  })
  const client = protocol === 'openai-chat' ? 'openai-responses' : 'openai-chat'
  const request = CLIENT_CODECS[client]!.decodeRequest(body, { stream: false })
  const losses = new Losses()
  const { body: written } = UPSTREAM_CODECS[protocol]!.encodeRequest(request, { ...known, ...traits }, losses)
  return { text: JSON.stringify(written), losses: losses.list }
}

const asking = (protocol: Upstream, rest: object) =>
  protocol === 'openai-chat' ? { input: 'Hi', ...rest } : { messages: [{ role: 'user', content: 'Hi' }], ...rest }

for (const protocol of Object.keys(UPSTREAM_CODECS) as Upstream[]) {
  test(`${protocol}: more than the model can answer with is narrowed to its maximum`, () => {
    const name = protocol === 'openai-chat' ? 'max_output_tokens' : 'max_tokens'
    const over = encoded(protocol, asking(protocol, { [name]: 1001 }), {})
    assert.match(over.text, /:1000[,}]/)
    assert.doesNotMatch(over.text, /1001/)
    const reason = 'the model answers with at most 1000 tokens'
    assert.deepEqual(over.losses, [{ path: `/${name}`, action: 'narrowed', reason, isSevere: false }])
    assert.deepEqual(encoded(protocol, asking(protocol, { [name]: 1000 }), {}).losses, [])
    assert.match(encoded(protocol, asking(protocol, { [name]: 9000 }), { outputTokensMax: null }).text, /9000/)
  })

  // Gemini has schemas everywhere, or one more function beside the client's.
  if (protocol === 'gemini') continue
  test(`${protocol}: a schema in words is told where it is not strict, and refused where it is`, () => {
    const schema = { type: 'array', items: { type: 'string' } }
    const parameters = { type: 'object', properties: {} }
    const lossOf = (strict: boolean) => {
      const format = { type: 'json_schema', name: 'n', schema, strict }
      const rest =
        protocol === 'openai-chat'
          ? { text: { format }, tools: [{ type: 'function', name: 'f', parameters }] }
          : {
              response_format: { type: 'json_schema', json_schema: format },
              tools: [{ type: 'function', function: { name: 'f', parameters } }],
              // Claude can be forced to call one of two tools, so that only the client's own choice stands in the way.
              tool_choice: 'none',
            }
      return encoded(protocol, asking(protocol, rest), { hasJsonSchema: false })
    }
    const loose = lossOf(false)
    const told = loose.losses.find(({ reason }) => reason.includes('schema'))
    assert.deepEqual(
      [told?.action, told?.isSevere, told?.reason],
      ['emulated', false, 'the model is told of the schema in words'],
    )
    assert.match(loose.text, /JSON Schema/)
    const strict = lossOf(true).losses.find(({ reason }) => reason.includes('schema'))
    assert.deepEqual([strict?.isSevere, strict?.reason], [true, 'the model can be told of the schema only in words'])
  })
}
