import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import { type Failure, NO_FACTS } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import { CLIENT_CODECS, PASSTHROUGH, UPSTREAM_CODECS } from '#codecs/index.ts'
import { ToolNames } from '#codecs/tool-names.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Report } from '#data-plane/report.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import { Losses } from '#ir/extensions.ts'
import { countTokens } from '#tokens/count-tokens.ts'
import { withoutHeard } from './adapt-body.ts'
import type { WholeAnswer } from './answer.ts'
import { dispatch } from './dispatch.ts'
import { atAttempt } from './faulted.ts'
import { refuseForbiddenMedia } from './remote-media.ts'
import { traitsFor, versionOf } from './translator.ts'
import { attemptRecord, errorOf } from './upstream-error.ts'

/**
 * Counts the tokens of a prompt (R5, R6, B4): by the upstream's own counter where it has one and answers, else here, with the
 * bound of the error told in a header. Counting is free.
 */
export async function countPrompt(
  gateway: Gateway,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  report: Report,
): Promise<WholeAnswer> {
  const target = atAttempt(plan.targets[0], 1)
  const own = await askOwnSurface(gateway, exchange, parsed, target)
  if (own) return answerOf(target, report, own, { 'x-gateway-count': 'native' })
  const request = readRequest(exchange, parsed)
  const native = await askOtherProtocol(gateway, exchange, target, request)
  if (native !== null) return answerOf(target, report, bodyOf(parsed.surface, native), { 'x-gateway-count': 'native' })
  const { upstreamModel } = target.route
  const { tokens, errorBoundPercent } = await countTokens(request, {
    id: upstreamModel,
    vendor: target.route.model.vendor,
    protocol: target.protocol,
  })
  return answerOf(target, report, bodyOf(parsed.surface, tokens), {
    'x-gateway-count': 'local',
    'x-gateway-count-error-bound': String(errorBoundPercent),
  })
}

/** Protocols that have a counter of their own. Of hosts that only speak like OpenAI none is known to have OpenAI's. */
function hasCounter({ route, protocol }: Target): boolean {
  if (route.backend.cloud?.kind === 'bedrock') return false
  if (protocol === 'anthropic-messages' || protocol === 'gemini') return true
  return protocol === 'openai-responses' && route.backend.type === 'openai'
}

/** The upstream's own answer, in the client's protocol as it is; null when it has no counter. Throws its other errors. */
async function askOwnSurface(
  gateway: Gateway,
  exchange: Exchange,
  parsed: Parsed,
  target: Target,
): Promise<Buffer | null> {
  if (target.protocol !== parsed.surface || !hasCounter(target)) return null
  const startedAt = performance.now()
  const model = target.route.upstreamModel
  const renamed = PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, { model })
  const body = withoutHeard(parsed, renamed)
  const sending = {
    body,
    operation: 'count',
    geminiAction: exchange.endpoint.action,
    isTranslated: false,
    stream: false,
    credential: 0,
  } as const
  const outcome = await dispatch(gateway, exchange, target, sending, null)
  if (outcome.kind === 'whole') {
    if (tokensIn(outcome.body) !== null) return outcome.body
    const failure = failureIn(outcome.body)
    if (failure) throw errorOf(gateway, target, failure, null, [attemptRecord(target, startedAt, failure, null)])
    return null
  }
  if (outcome.kind === 'stream' || NO_COUNTER.has(outcome.failure.status)) return null
  const { failure, retryAfter } = outcome
  throw errorOf(gateway, target, failure, retryAfter, [attemptRecord(target, startedAt, failure, retryAfter)])
}

/** What a host answers that speaks the protocol and has no counter. */
const NO_COUNTER: ReadonlySet<number> = new Set([404, 405, 501])

/** The error inside a 200; null when there is none. */
function failureIn(body: Buffer): Failure | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return fieldsOf(value)['error'] === undefined ? null : failureOf(200, value)
  } catch {
    return null
  }
}

/** What the counter of the target's own protocol says of the translated request; null when it has none or does not answer. */
async function askOtherProtocol(
  gateway: Gateway,
  exchange: Exchange,
  target: Target,
  request: ChatRequest,
): Promise<number | null> {
  const codec = UPSTREAM_CODECS[target.protocol]
  if (!codec || !hasCounter(target)) return null
  refuseForbiddenMedia(gateway, request)
  // What a counter leaves out of account is no loss of the client's.
  const losses = new Losses()
  const named = new ToolNames(request, target.protocol).rename(request, losses)
  const { body } = codec.encodeRequest(named, traitsFor(target, gateway.settings.anthropicUpstreamVersion), losses)
  const sending = {
    body: Buffer.from(JSON.stringify(countable(target, fieldsOf(body)))),
    operation: 'count',
    geminiAction: 'countTokens',
    isTranslated: true,
    stream: false,
    credential: 0,
  } as const
  const outcome = await dispatch(gateway, exchange, target, sending, null)
  return outcome.kind === 'whole' ? tokensIn(outcome.body) : null
}

/** Members of a Messages request that its counter takes. */
const COUNTED_MEMBERS = ['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking', 'output_config']
/** Members of a Responses request that its counter refuses. */
const UNCOUNTED_MEMBERS = new Set(['stream', 'store', 'include', 'max_output_tokens', 'temperature', 'top_p'])

const VERTEX_COUNTED = ['contents', 'systemInstruction', 'tools', 'generationConfig']

function pickMembers(body: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(names.filter((name) => name in body).map((name) => [name, body[name]]))
}

function countable(target: Target, body: Readonly<Record<string, unknown>>): unknown {
  switch (target.protocol) {
    case 'anthropic-messages':
      return pickMembers(body, COUNTED_MEMBERS)
    case 'gemini':
      // Vertex counts the members themselves, Google's other host a whole request.
      if (target.route.backend.cloud) return pickMembers(body, VERTEX_COUNTED)
      return { generateContentRequest: { model: `models/${target.route.upstreamModel}`, ...body } }
    default:
      return Object.fromEntries(Object.entries(body).filter(([name]) => !UNCOUNTED_MEMBERS.has(name)))
  }
}

function tokensIn(body: Buffer): number | null {
  try {
    const { input_tokens, totalTokens } = fieldsOf(JSON.parse(body.toString('utf8')))
    return countOf(input_tokens) ?? countOf(totalTokens)
  } catch {
    return null
  }
}

function readRequest(exchange: Exchange, parsed: Parsed): ChatRequest {
  const body = fieldsOf(parseFaithfulJson(parsed.body.toString('utf8')))
  // Gemini's counter takes the contents alone, or a whole request within the request.
  const asked = parsed.surface === 'gemini' ? (body['generateContentRequest'] ?? body) : body
  return CLIENT_CODECS[parsed.surface as Exclude<Protocol, 'openai-embeddings'>]!.decodeRequest(asked, {
    stream: false,
    version: versionOf(exchange),
  })
}

function bodyOf(surface: Surface, tokens: number): Buffer {
  const value =
    surface === 'gemini'
      ? { totalTokens: tokens }
      : surface === 'openai-responses'
        ? { object: 'response.input_tokens', input_tokens: tokens }
        : { input_tokens: tokens }
  return Buffer.from(JSON.stringify(value))
}

function answerOf(
  target: Target,
  report: Report,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
): WholeAnswer {
  return {
    kind: 'whole',
    target,
    attempts: [],
    health: null,
    report,
    upstreamRequestId: null,
    save: null,
    headers,
    body,
    facts: NO_FACTS,
    render: () => body,
  }
}
