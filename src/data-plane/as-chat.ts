import { parseFaithfulJson } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import { CLIENT_CODECS, PASSTHROUGH, UPSTREAM_CODECS } from '#codecs/index.ts'
import { traitsOf } from '#codecs/model-traits.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import { Losses } from '#ir/extensions.ts'

/** Members about where the request may go: they stand beside the message and stay as they are. */
const ROUTING_MEMBERS = ['provider', 'models', 'session_id', 'plugins', 'transforms']

/** A host of whom nothing is assumed: what it cannot do is found out when it is called. */
const TRAITS = traitsOf({
  protocol: 'openai-chat',
  backendType: 'openai-compatible',
  upstreamModel: '',
  vendor: '',
  capabilities: new Set(['thinking', 'tools', 'vision', 'json_schema']),
  outputTokensMax: null,
  anthropicVersion: '',
})

/**
 * A request of any surface as a chat completion, for who only has to think about it (R40): what chat has no place for is left out. Throws
 * GatewayError 400 for a request that names earlier turns without saying them.
 */
export function asChat(parsed: Parsed, jsonDepthMax: number): Parsed {
  const { surface } = parsed
  if (surface === 'openai-chat') return parsed
  const codec = CLIENT_CODECS[surface as Exclude<typeof surface, 'openai-embeddings'>]!
  const given = parseFaithfulJson(parsed.body.toString('utf8')) as Readonly<Record<string, unknown>>
  if (given['previous_response_id'] != null) {
    const message = 'Models of two legs need the whole conversation: send it without previous_response_id.'
    throw new GatewayError('unsupported_parameter', message, { param: 'previous_response_id' })
  }
  const request = codec.decodeRequest(given, { stream: true })
  const chat = UPSTREAM_CODECS['openai-chat']!.encodeRequest(request, TRAITS, new Losses()).body as object
  const kept = ROUTING_MEMBERS.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))
  const body = Buffer.from(JSON.stringify({ ...chat, ...Object.fromEntries(kept), model: parsed.model }))
  const facts = PASSTHROUGH['openai-chat'].readRequest(body, jsonDepthMax)
  return { ...parsed, surface: 'openai-chat', asJsonArray: false, body, facts }
}
