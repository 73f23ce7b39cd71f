import type { Caller } from '#accounts/types.ts'
import { type AnswerFacts, type Failure, NO_FACTS } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Usage } from '#ir/usage.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { JsonError } from '#wire/json-scan.ts'
import type { Answer } from './answer.ts'
import { countPrompt } from './count.ts'
import { dispatch, type Sending } from './dispatch.ts'
import { dispatchAll } from './dispatch-all.ts'
import { lossWarnings } from './losses.ts'
import { CACHING_WARNING, withCaching } from './prompt-caching.ts'
import { translate } from './translate.ts'
import type { Translation } from './translator.ts'
import { attemptRecord, errorOf } from './upstream-error.ts'

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
  if (parsed.operation === 'count') return countPrompt(gateway, exchange, parsed, plan)
  const [target] = plan.targets
  const translator =
    target.protocol === parsed.surface ? null : await translate(gateway, caller, exchange, parsed, plan, target, hold)
  const save = translator?.save ?? null
  const translated = parsed.stream ? (translator?.openReader() ?? null) : null
  const reader = parsed.stream ? (translated ?? PASSTHROUGH[parsed.surface].openStream(parsed.facts)) : null
  const startedAt = performance.now()
  const record = (failure: Failure | null, retryAfter: string | null): readonly AttemptRecord[] => [
    attemptRecord(target, startedAt, failure, retryAfter),
  ]
  const unmarked = sendingOf(exchange, parsed, target, hold, translator)
  const sending = withCaching(gateway, exchange, target, unmarked)
  const bodies = translator?.bodies ?? []
  const outcome =
    bodies.length > 1
      ? await dispatchAll(gateway, exchange, target, sending, bodies)
      : await dispatch(gateway, exchange, target, sending, reader)
  const warnings = [...warningsOf(hold, translator), ...(sending === unmarked ? [] : [CACHING_WARNING])]
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

function sendingOf(
  exchange: Exchange,
  parsed: Parsed,
  target: Target,
  hold: Hold,
  translator: Translation | null,
): Sending {
  const { operation, stream } = parsed
  if (translator) {
    const { body, geminiAction } = translator
    return { body, operation, geminiAction, isTranslated: true, stream }
  }
  const body = PASSTHROUGH[parsed.surface].writeRequest(parsed.body, parsed.facts, {
    model: target.route.upstreamModel,
    includeUsage: stream,
    ...(hold.outputTokensMax === null ? {} : { outputTokensMax: hold.outputTokensMax }),
  })
  return { body, operation, geminiAction: exchange.endpoint.action, isTranslated: false, stream }
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
