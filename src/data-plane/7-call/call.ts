import type { Caller } from '#accounts/types.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { type AnswerFacts, type Failure, NO_FACTS } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Usage } from '#ir/usage.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { awsHeaders } from '#providers/sign-upstream.ts'
import { buildUpstreamRequest } from '#providers/upstream-request.ts'
import { JsonError } from '#wire/json-scan.ts'
import type { Answer } from './answer.ts'
import { EmbeddingTranslator } from './embedding-translator.ts'
import { Attempt, type AttemptLimits, type AttemptOutcome } from './attempt.ts'
import { lossWarnings, refuseLosses } from './losses.ts'
import { readConversation } from './conversation.ts'
import { ChatTranslator, type Translation } from './translator.ts'
import { errorOf } from './upstream-error.ts'

/**
 * Calls the plan's target and returns its answer: a whole one, or a stream at its first content. The only place that
 * would try a second target, because here nothing has been sent to the client yet. Throws GatewayError with every failure.
 */
export async function call(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  hold: Hold,
): Promise<Answer> {
  const [target] = plan.targets
  const translator =
    target.protocol === parsed.surface ? null : await translate(gateway, caller, exchange, parsed, plan, target, hold)
  const save = translator?.save ?? null
  const translated = parsed.stream ? (translator?.openReader() ?? null) : null
  const reader = parsed.stream ? (translated ?? PASSTHROUGH[parsed.surface].openStream(parsed.facts)) : null
  const startedAt = performance.now()
  const outcome = await attempt(gateway, exchange, parsed, target, hold, translator, reader)
  const record = (failure: Failure | null, retryAfter: string | null): readonly AttemptRecord[] => [
    {
      backend: target.route.backend.id,
      status: failure ? failure.status : 200,
      error_code: failure ? failure.code : null,
      latency_ms: Math.round(performance.now() - startedAt),
      retry_after: retryAfter === null ? null : Number.parseInt(retryAfter, 10) || null,
    },
  ]
  const warnings = warningsOf(hold, translator)
  const { upstreamRequestId } = outcome
  switch (outcome.kind) {
    case 'failed':
      throw errorOf(gateway, target, outcome.failure, outcome.retryAfter, record(outcome.failure, outcome.retryAfter))
    case 'stream': {
      const { events, firstContentAt } = outcome
      return {
        kind: 'stream',
        target,
        attempts: record(null, null),
        warnings,
        upstreamRequestId,
        save,
        reader: reader!,
        translated,
        events,
        firstContentAt,
      }
    }
    case 'whole': {
      const { facts, render } = readWhole(parsed, translator, outcome.body)
      if (facts.failure) throw errorOf(gateway, target, facts.failure, null, record(facts.failure, null))
      return {
        kind: 'whole',
        target,
        attempts: record(null, null),
        warnings,
        upstreamRequestId,
        save,
        body: outcome.body,
        facts,
        render,
      }
    }
    default: {
      const missed: never = outcome
      throw new Error(`unknown outcome ${String(missed)}`)
    }
  }
}

function attempt(
  gateway: Gateway,
  exchange: Exchange,
  parsed: Parsed,
  target: Target,
  hold: Hold,
  translator: Translation | null,
  reader: ConstructorParameters<typeof Attempt>[0],
): Promise<AttemptOutcome> {
  const { route, protocol } = target
  const request = buildUpstreamRequest({
    route,
    protocol,
    operation: parsed.operation,
    geminiAction: translator === null ? exchange.endpoint.action : translator.geminiAction,
    isTranslated: translator !== null,
    stream: parsed.stream,
    clientHeaders: exchange.request.headers,
    clientQuery: exchange.query,
    credential: route.backend.credentials[0] ?? null,
  })
  const body =
    translator?.body ??
    PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, {
      model: route.upstreamModel,
      includeUsage: parsed.stream,
      ...(hold.outputTokensMax === null ? {} : { outputTokensMax: hold.outputTokensMax }),
    })
  const running = new Attempt(reader, limitsOf(gateway, target, parsed.stream))
  exchange.departure.onGone(() => running.abort())
  const { origin, path } = request
  const { aws } = route.backend
  const headers = aws ? [...request.headers, ...awsHeaders(aws, request, body)] : request.headers
  gateway.pools.for(origin).dispatch({ origin, path, method: 'POST', headers, body }, running)
  return running.outcome
}

function limitsOf(gateway: Gateway, target: Target, stream: boolean): AttemptLimits {
  const { timeouts } = target.route.backend
  const { limits } = gateway.settings
  return {
    bodyBytesMax: limits.upstreamBodyBytesMax,
    eventBytesMax: limits.eventBytesMax,
    firstContentMs: stream ? timeouts.ttftMs : timeouts.requestMs,
    idleMs: timeouts.streamIdleMs,
    totalMs: timeouts.totalMs,
  }
}

interface Whole {
  readonly facts: AnswerFacts
  readonly render: ((usage: Usage | null) => Buffer) | null
}

function readWhole(parsed: Parsed, translator: Translation | null, body: Buffer): Whole {
  try {
    const { facts, render } = translator?.readWhole(body) ?? {
      facts: PASSTHROUGH[parsed.surface].readAnswer(body),
      render: null,
    }
    if (parsed.operation === 'count') return failedWith(isBadCount(facts) ? facts.failure : null)
    if (!parsed.stream || facts.failure) return { facts, render }
    return failedWith(bad('The upstream answered a request for a stream with a whole answer.'))
  } catch (error) {
    if (!(error instanceof JsonError || error instanceof SyntaxError)) throw error
    return failedWith(bad('The upstream sent an answer that is not JSON.'))
  }
}

const failedWith = (failure: Failure | null): Whole => ({ facts: { ...NO_FACTS, failure }, render: null })

/** The request in the target's protocol. Throws 400 for what the target cannot do. */
async function translate(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  target: Target,
  hold: Hold,
): Promise<Translation> {
  const translation =
    parsed.operation === 'embed'
      ? new EmbeddingTranslator(exchange, parsed, plan, target)
      : await translateChat(gateway, caller, exchange, parsed, plan, target, hold)
  refuseLosses(gateway.settings, translation.losses)
  return translation
}

async function translateChat(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  target: Target,
  hold: Hold,
): Promise<ChatTranslator> {
  const body = parseFaithfulJson(parsed.body.toString('utf8')) as Readonly<Record<string, unknown>>
  const conversation =
    parsed.surface === 'openai-responses'
      ? await readConversation(gateway, caller, exchange, plan, target, body)
      : { body, keep: null }
  return new ChatTranslator(exchange, parsed, plan, target, conversation, hold.outputTokensMax)
}

function warningsOf(hold: Hold, translator: Translation | null): string[] {
  const lowered =
    hold.outputTokensMax === null ? [] : [`param=max_tokens;action=lowered;to=${hold.outputTokensMax};reason=balance`]
  return translator ? [...lowered, ...lossWarnings(translator.losses)] : lowered
}

/** A count is neither a message nor an error; only an error inside a 200 is a failure here. */
const isBadCount = (facts: AnswerFacts): boolean =>
  facts.failure !== null && facts.failure.code !== 'upstream_bad_response'

function bad(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}
