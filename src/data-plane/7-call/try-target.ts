import { type AnswerFacts, type Failure, NO_FACTS, type StreamReader } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import { GatewayError } from '#base/errors.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { HealthWatch } from '#health/target-health.ts'
import type { Loss } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { JsonError } from '#wire/json-scan.ts'
import { requireAll, requiresParameters } from '#data-plane/required-parameters.ts'
import { speedKeyOf } from '#data-plane/speed-key.ts'
import { adaptBody } from './adapt-body.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { dispatch, type Sending } from './dispatch.ts'
import { dispatchAll } from './dispatch-all.ts'
import { isStaged } from './faulted.ts'
import { isEmptyAnswer } from './empty-answer.ts'
import { refuseLosses } from './losses.ts'
import { applyParamRules, paramRulesOf } from './param-rules.ts'
import { MARKED, withCaching } from './prompt-caching.ts'
import { shorten } from './shorten.ts'
import { translate } from './translate.ts'
import type { Translation } from './translator.ts'
import { attemptRecord, secondsOf } from './upstream-error.ts'
import { judge, type Verdict } from './verdict.ts'

export interface Failed {
  readonly kind: 'failed'
  readonly target: Target
  readonly failure: Failure
  readonly retryAfter: string | null
  readonly verdict: Verdict
  readonly record: AttemptRecord
}

/** Nothing was sent: this target cannot take the request. */
export interface Refused {
  readonly kind: 'refused'
  readonly error: GatewayError
}

export type Tried = Answered | Failed | Refused

export const isAnswered = (tried: { readonly kind: string }): tried is Answered =>
  tried.kind === 'whole' || tried.kind === 'stream'

/** An answer, with the list that its own record is still to be added to. */
export type Answered = Answer & {
  readonly record: AttemptRecord
  /** Whether it says nothing at all: another target may do better (B10). */
  readonly isEmpty: boolean
}

/**
 * Makes one attempt at one target. Health hears of a failure, of a whole answer and of the beginning of a stream here; of its
 * end, when it has ended. `attempts` are those of the whole request: the caller adds the record of this one.
 */
export async function tryTarget(given: Asked, target: Target, attempts: readonly AttemptRecord[]): Promise<Tried> {
  const short = target.shortenTo === undefined ? null : shortened(given, target.shortenTo)
  if (short !== null && 'kind' in short) return short
  const asked = short?.asked ?? given
  const { gateway, exchange, parsed, report } = asked
  const startedAt = performance.now()
  const watch = isStaged(target) ? UNWATCHED : gateway.health.begin(target.route)
  if (asked.plan.targets.length > 1) gateway.speeds.picked(speedKeyOf(target))
  const preparing = prepare(asked, target, watch, short?.losses ?? NO_LOSSES)
  // Only a translation may have to wait, for media or for what was said before.
  const prepared = preparing instanceof Promise ? await preparing : preparing
  if ('kind' in prepared) return prepared
  const { translator, sending } = prepared
  const translated = parsed.stream ? (translator?.openReader() ?? null) : null
  const reader = parsed.stream ? (translated ?? PASSTHROUGH[parsed.surface].openStream(parsed.facts)) : null
  const bodies = translator?.bodies ?? []
  let outcome
  try {
    outcome =
      bodies.length > 1
        ? await dispatchAll(gateway, exchange, target, sending, bodies)
        : await dispatch(gateway, exchange, target, sending, reader)
  } catch (error) {
    // It gives its place back, whatever happened.
    watch.release()
    throw error
  }
  const failed = (failure: Failure, retryAfter: string | null): Failed => {
    const verdict = judge(failure)
    tellHealth(watch, failure, verdict, retryAfter)
    const record = attemptRecord(target, startedAt, failure, retryAfter)
    return { kind: 'failed', target, failure, retryAfter, verdict, record }
  }
  if (outcome.kind === 'failed') return failed(outcome.failure, outcome.retryAfter)
  const base = {
    target,
    attempts,
    record: attemptRecord(target, startedAt, null, null),
    report,
    upstreamRequestId: outcome.upstreamRequestId,
    save: translator?.save ?? null,
    pricing: translator?.pricing ?? null,
    health: watch,
  }
  if (outcome.kind === 'stream') {
    const isEmpty = reader!.complete && !reader!.failure && isEmptyAnswer(reader!)
    if (!isEmpty) watch.commit()
    return { ...base, ...streamOf(outcome, reader!), translated, isEmpty }
  }
  const { facts, render } = readWhole(parsed, translator, outcome.body)
  if (facts.failure) return failed(facts.failure, null)
  const isEmpty = parsed.operation === 'generate' && isEmptyAnswer(facts)
  if (!isEmpty) watch.succeed()
  return { ...base, kind: 'whole', body: outcome.body, facts, render, isEmpty }
}

interface Shortened {
  readonly asked: Asked
  readonly losses: readonly Loss[]
}

/** The request with a prompt that the target takes, and what that cost. */
function shortened(asked: Asked, tokens: number): Shortened | Refused {
  try {
    const { parsed, loss } = shorten(asked.parsed, tokens, asked.gateway.settings.limits.jsonDepthMax)
    return { asked: { ...asked, parsed }, losses: [loss] }
  } catch (error) {
    return refusedBy(error)
  }
}

const NO_LOSSES: readonly Loss[] = []

const UNWATCHED: HealthWatch = { credential: 0, commit() {}, succeed() {}, fail() {}, release() {} }

interface Prepared {
  readonly translator: Translation | null
  readonly sending: Sending
}

/** The bytes for this target, and in the report what they cost. At once where nothing is translated. */
function prepare(
  asked: Asked,
  target: Target,
  watch: HealthWatch,
  shortening: readonly Loss[],
): Prepared | Refused | Promise<Prepared | Refused> {
  const { parsed, hold, report } = asked
  report.begin()
  if (hold.outputTokensMax !== null) report.limit(parsed.surface, target.protocol, hold.outputTokensMax)
  const refuse = (error: unknown): Refused => refusedBy(error, watch)
  if (target.protocol === parsed.surface) {
    try {
      return finish(asked, target, null, watch, shortening)
    } catch (error) {
      return refuse(error)
    }
  }
  const credential = target.route.backend.credentials[watch.credential] ?? null
  return translate(asked, target, credential)
    .then((translator) => finish(asked, target, translator, watch, shortening))
    .catch(refuse)
}

/** Throws what is no fault of the request. */
function refusedBy(error: unknown, watch?: HealthWatch): Refused {
  watch?.release()
  if (!(error instanceof GatewayError) || !isOfTarget(error)) throw error
  return { kind: 'refused', error }
}

const isOfTarget = ({ status, code }: GatewayError): boolean => status < 500 || code === 'no_backend_meets_policy'

/** The body, with what routes, rules and caching change in it. Throws GatewayError (4xx). */
function finish(
  asked: Asked,
  target: Target,
  translator: Translation | null,
  watch: HealthWatch,
  shortening: readonly Loss[],
): Prepared {
  const { gateway, exchange, parsed, report } = asked
  const plain = sendingOf(asked, target, translator, watch.credential)
  const sending = withCaching(gateway, exchange, target, plain)
  const adapted = adaptBody(asked, target, sending.body)
  const { overridden } = adapted
  if (overridden.length > 0) gateway.log.debug({ requestId: exchange.id, overridden }, 'parameters overridden')
  const ruled = applyParamRules(paramRulesOf(target), adapted.body, translator?.paths ?? {}, asked.caller.account.id)
  const marked = sending === plain ? [] : [MARKED]
  const { warnings, requested } = target.selection
  report.rule(target.protocol, [...warnings, ...shortening, ...marked, ...adapted.losses, ...ruled.losses])
  refuseLosses(gateway.settings, ruled.losses)
  if (requiresParameters(parsed.wishes?.provider)) requireAll([...adapted.losses, ...ruled.losses], requested)
  return { translator, sending: ruled.body === sending.body ? sending : { ...sending, body: ruled.body } }
}

function streamOf(
  outcome: Pick<Answer & { kind: 'stream' }, 'events' | 'firstContentAt'>,
  reader: StreamReader,
): Pick<Answer & { kind: 'stream' }, 'kind' | 'reader' | 'events' | 'firstContentAt'> {
  const { events, firstContentAt } = outcome
  return { kind: 'stream', reader, events, firstContentAt }
}

/** What a failed attempt means for the health of where it was made. */
export function tellHealth(watch: HealthWatch, failure: Failure, verdict: Verdict, retryAfter: string | null): void {
  const seconds = secondsOf(retryAfter)
  if (verdict.trouble) watch.fail(verdict.trouble, seconds === undefined ? null : seconds * 1000)
  else if (failure.code === 'client_closed_request') watch.release()
  // Who complains about a request does work.
  else watch.succeed()
}

function sendingOf(
  { exchange, parsed, hold, plan }: Asked,
  target: Target,
  translator: Translation | null,
  credential: number,
): Sending {
  const { operation, stream, timeoutMs } = parsed
  // Who wants one call gets one, also where the first has probably not arrived.
  const mayResend = plan.attemptsMax > 1
  if (translator) {
    const { body, geminiAction } = translator
    return { body, operation, geminiAction, isTranslated: true, stream, credential, timeoutMs, mayResend }
  }
  const asked = { model: target.route.upstreamModel, includeUsage: stream }
  const { outputTokensMax } = hold
  const changes = outputTokensMax === null ? asked : { ...asked, outputTokensMax }
  const body = PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, changes)
  const geminiAction = exchange.endpoint.action
  return { body, operation, geminiAction, isTranslated: false, stream, credential, timeoutMs, mayResend }
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

function bad(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}
