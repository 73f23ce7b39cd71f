import { type AnswerFacts, type Failure, NO_FACTS } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { buildUpstreamRequest } from '#providers/upstream-request.ts'
import { JsonError } from '#wire/json-scan.ts'
import type { Answer } from './answer.ts'
import { Attempt, type AttemptLimits, type AttemptOutcome } from './attempt.ts'
import { errorOf } from './upstream-error.ts'

/**
 * Calls the plan's target and returns its answer: a whole one, or a stream at its first content. The only place that
 * would try a second target, because here nothing has been sent to the client yet. Throws GatewayError with every failure.
 */
export async function call(
  gateway: Gateway,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  hold: Hold,
): Promise<Answer> {
  const [target] = plan.targets
  const codec = PASSTHROUGH[parsed.surface]
  const reader = parsed.stream ? codec.openStream(parsed.facts) : null
  const startedAt = performance.now()
  const outcome = await attempt(gateway, exchange, parsed, target, hold, reader)
  const record = (failure: Failure | null, retryAfter: string | null): readonly AttemptRecord[] => [
    {
      backend: target.route.backend.id,
      status: failure ? failure.status : 200,
      error_code: failure ? failure.code : null,
      latency_ms: Math.round(performance.now() - startedAt),
      retry_after: retryAfter === null ? null : Number.parseInt(retryAfter, 10) || null,
    },
  ]
  const warnings =
    hold.outputTokensMax === null ? [] : [`param=max_tokens;action=lowered;to=${hold.outputTokensMax};reason=balance`]
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
        reader: reader!,
        events,
        firstContentAt,
      }
    }
    case 'whole': {
      const facts = readWhole(parsed, outcome.body)
      if (facts.failure) throw errorOf(gateway, target, facts.failure, null, record(facts.failure, null))
      return {
        kind: 'whole',
        target,
        attempts: record(null, null),
        warnings,
        upstreamRequestId,
        body: outcome.body,
        facts,
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
  reader: ConstructorParameters<typeof Attempt>[0],
): Promise<AttemptOutcome> {
  const { route, protocol } = target
  const request = buildUpstreamRequest({
    route,
    protocol,
    operation: parsed.operation,
    geminiAction: exchange.endpoint.action,
    stream: parsed.stream,
    clientHeaders: exchange.request.headers,
    clientQuery: exchange.query,
    credential: route.backend.credentials[0] ?? null,
  })
  const body = PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, {
    model: route.upstreamModel,
    includeUsage: parsed.stream,
    ...(hold.outputTokensMax === null ? {} : { outputTokensMax: hold.outputTokensMax }),
  })
  const running = new Attempt(reader, limitsOf(gateway, target, parsed.stream))
  exchange.departure.onGone(() => running.abort())
  const { origin, path, headers } = request
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

function readWhole(parsed: Parsed, body: Buffer): AnswerFacts {
  try {
    const facts = PASSTHROUGH[parsed.surface].readAnswer(body)
    if (parsed.operation === 'count') return { ...NO_FACTS, failure: isBadCount(facts) ? facts.failure : null }
    if (!parsed.stream || facts.failure) return facts
    return { ...facts, failure: bad('The upstream answered a request for a stream with a whole answer.') }
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return { ...NO_FACTS, failure: bad('The upstream sent an answer that is not JSON.') }
  }
}

/** A count is neither a message nor an error; only an error inside a 200 is a failure here. */
const isBadCount = (facts: AnswerFacts): boolean =>
  facts.failure !== null && facts.failure.code !== 'upstream_bad_response'

function bad(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}
