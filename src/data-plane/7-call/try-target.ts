import type { Caller } from '#accounts/types.ts'
import { type AnswerFacts, type Failure, NO_FACTS, type StreamReader } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { HealthWatch } from '#health/target-health.ts'
import type { Usage } from '#ir/usage.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { JsonError } from '#wire/json-scan.ts'
import type { Answer } from './answer.ts'
import { dispatch, type Sending } from './dispatch.ts'
import { lossWarnings } from './losses.ts'
import { translate } from './translate.ts'
import type { Translation } from './translator.ts'
import { attemptRecord, secondsOf } from './upstream-error.ts'
import { judge, type Verdict } from './verdict.ts'

/** What every attempt of one request is made from. */
export interface Asked {
  readonly gateway: Gateway
  readonly caller: Caller
  readonly exchange: Exchange
  readonly parsed: Parsed
  readonly plan: Plan
  readonly hold: Hold
}

export interface Failed {
  readonly kind: 'failed'
  readonly target: Target
  readonly failure: Failure
  readonly retryAfter: string | null
  readonly verdict: Verdict
  readonly record: AttemptRecord
}

/** An answer without the attempts before it. */
export type Answered = Answer & { readonly record: AttemptRecord }

/**
 * Makes one attempt at one target. Health hears of a failure and of a whole answer here; of a stream, when it has ended.
 * Throws GatewayError (4xx) for a request that this target cannot take, before anything was sent.
 */
export async function tryTarget(asked: Asked, target: Target): Promise<Answered | Failed> {
  const { gateway, caller, exchange, parsed, hold } = asked
  const isForeign = target.protocol !== parsed.surface
  const translator = isForeign ? await translate(gateway, caller, exchange, parsed, target, hold) : null
  const translated = parsed.stream ? (translator?.openReader() ?? null) : null
  const reader = parsed.stream ? (translated ?? PASSTHROUGH[parsed.surface].openStream(parsed.facts)) : null
  const startedAt = performance.now()
  const watch = gateway.health.begin(target.route)
  const sending = sendingOf(asked, target, translator, watch.credential)
  const outcome = await dispatch(gateway, exchange, target, sending, reader)
  const failed = (failure: Failure, retryAfter: string | null): Failed => {
    const verdict = judge(failure)
    tellHealth(watch, failure, verdict, retryAfter)
    const record = attemptRecord(target, startedAt, failure, retryAfter)
    return { kind: 'failed', target, failure, retryAfter, verdict, record }
  }
  if (outcome.kind === 'failed') return failed(outcome.failure, outcome.retryAfter)
  const base = {
    target,
    attempts: [],
    record: attemptRecord(target, startedAt, null, null),
    warnings: warningsOf(hold, translator),
    upstreamRequestId: outcome.upstreamRequestId,
    save: translator?.save ?? null,
    health: watch,
  }
  if (outcome.kind === 'stream') return { ...base, ...streamOf(outcome, reader!), translated }
  const { facts, render } = readWhole(parsed, translator, outcome.body)
  if (facts.failure) return failed(facts.failure, null)
  watch.succeed()
  return { ...base, kind: 'whole', body: outcome.body, facts, render }
}

function streamOf(
  outcome: Pick<Answer & { kind: 'stream' }, 'events' | 'firstContentAt'>,
  reader: StreamReader,
): Pick<Answer & { kind: 'stream' }, 'kind' | 'reader' | 'events' | 'firstContentAt'> {
  const { events, firstContentAt } = outcome
  return { kind: 'stream', reader, events, firstContentAt }
}

function tellHealth(watch: HealthWatch, failure: Failure, verdict: Verdict, retryAfter: string | null): void {
  const seconds = secondsOf(retryAfter)
  if (verdict.trouble) watch.fail(verdict.trouble, seconds === undefined ? null : seconds * 1000)
  else if (failure.code === 'client_closed_request') watch.release()
  // Who complains about a request does work.
  else watch.succeed()
}

function sendingOf(
  { exchange, parsed, hold }: Asked,
  target: Target,
  translator: Translation | null,
  credential: number,
): Sending {
  const { operation, stream } = parsed
  if (translator) {
    const { body, geminiAction } = translator
    return { body, operation, geminiAction, isTranslated: true, stream, credential }
  }
  const body = PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, {
    model: target.route.upstreamModel,
    includeUsage: stream,
    ...(hold.outputTokensMax === null ? {} : { outputTokensMax: hold.outputTokensMax }),
  })
  return { body, operation, geminiAction: exchange.endpoint.action, isTranslated: false, stream, credential }
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
    if (!parsed.stream || facts.failure) return { facts, render }
    return failedWith(bad('The upstream answered a request for a stream with a whole answer.'))
  } catch (error) {
    if (!(error instanceof JsonError || error instanceof SyntaxError)) throw error
    return failedWith(bad('The upstream sent an answer that is not JSON.'))
  }
}

const failedWith = (failure: Failure | null): Whole => ({ facts: { ...NO_FACTS, failure }, render: null })

function warningsOf(hold: Hold, translator: Translation | null): string[] {
  const lowered =
    hold.outputTokensMax === null ? [] : [`param=max_tokens;action=lowered;to=${hold.outputTokensMax};reason=balance`]
  return translator ? [...lowered, ...lossWarnings(translator.losses)] : lowered
}

function bad(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}
