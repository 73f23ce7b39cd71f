import { parseFaithfulJson } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import { Departure } from '#data-plane/departure.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { LegPlan } from '#data-plane/5-plan/plan.ts'
import { REASONING_BYTES_MAX } from '#data-plane/reasoning-leg.ts'
import { Report } from '#data-plane/report.ts'
import type { Loss } from '#ir/extensions.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { Answer, ReasoningLeg, StreamAnswer } from './answer.ts'
import type { Asked } from './asked.ts'
import { Failover } from './failover.ts'
import { type Fields, fieldsIn } from './fields.ts'
import { Thought } from './thought.ts'
import { addThought, withoutReasoning } from './with-thought.ts'

const UNREASONED: Loss = {
  path: '/model',
  action: 'dropped',
  reason: 'the reasoning model did not answer',
  isSevere: false,
}

/**
 * A model of two legs (R40): the first one's reasoning is read until its answer would begin, and put before the second, whose
 * answer is the client's. Without the first the second answers all the same, with a warning. Throws GatewayError as the
 * second leg does.
 */
export async function callLegs(asked: Asked, plan: LegPlan): Promise<Answer> {
  const attempts: AttemptRecord[] = []
  const leg = isReasonedFirst(asked, plan) ? await reason(asked, plan, attempts) : null
  if (leg) attempts.push(...leg.answer.attempts)
  const parsed = executed(asked, leg?.text ?? '')
  const answer = await new Failover({ ...asked, parsed }).run().catch((error: unknown) => {
    if (!(error instanceof UpstreamError)) throw error
    throw new UpstreamError(error, [...attempts, ...error.attempts])
  })
  return { ...answer, attempts: [...attempts, ...answer.attempts], ...(leg ? { reasoning: leg } : {}) }
}

/** The first turns of a conversation always, later ones by lot. */
function isReasonedFirst({ gateway }: Asked, { asked }: LegPlan): boolean {
  const { reasoningForceInitialTurns, reasoningInjectionProbability } = gateway.settings.hybrid
  const turns = messagesOf(fieldsOf(asked)).filter((message) => fieldsIn(message)?.['role'] === 'user').length
  return turns <= reasoningForceInitialTurns || gateway.random() < reasoningInjectionProbability
}

/** Null when the leg fails, is late, or has nothing to say; a client that left ends the request in the second leg. */
async function reason(asked: Asked, plan: LegPlan, attempts: AttemptRecord[]): Promise<ReasoningLeg | null> {
  const { gateway, exchange, parsed, hold, report } = asked
  const { reasoningModelTimeoutMs } = gateway.settings.hybrid
  const departure = new Departure()
  exchange.departure.onGone(() => departure.leave())
  const timer = reasoningModelTimeoutMs > 0 ? setTimeout(() => departure.leave(), reasoningModelTimeoutMs) : undefined
  const limit = plan.bound?.outputTokensMax ?? null
  const own: Asked = {
    ...asked,
    exchange: { ...exchange, departure } satisfies Exchange,
    parsed: reasoningParsed(asked, plan),
    plan,
    hold: { ...hold, outputTokensMax: limit },
    report: new Report(),
  }
  try {
    const answer = (await new Failover(own).run()) as StreamAnswer
    const text = await new Thought(answer, departure, REASONING_BYTES_MAX).read()
    if (departure.gone) report.miss(UNREASONED)
    return { text: departure.gone ? '' : text, parsed: own.parsed, answer }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    if (error instanceof UpstreamError) attempts.push(...error.attempts)
    gateway.log.warn({ requestId: exchange.id, code: error.code, model: parsed.model }, 'the reasoning leg failed')
    report.miss(UNREASONED)
    return null
  } finally {
    clearTimeout(timer)
    exchange.departure.onGone(null)
  }
}

/** Members that are about the answer and not about thinking. */
const ANSWER_MEMBERS = ['max_tokens', 'max_completion_tokens', 'n', 'response_format', 'stream_options']

function reasoningParsed({ gateway }: Asked, { asked }: LegPlan): Parsed {
  const fields = fieldsOf(asked)
  for (const name of ANSWER_MEMBERS) delete fields[name]
  withoutReasoning(asked.surface, fields)
  fields['stream'] = true
  return { ...rewritten(gateway, asked, fields), stream: true, reportsLosses: false }
}

/** The client's request with what was thought about it, and without a wish to think again. */
function executed({ gateway, parsed }: Asked, text: string): Parsed {
  const fields = fieldsOf(parsed)
  withoutReasoning(parsed.surface, fields)
  if (text !== '') addThought(parsed.surface, fields, text, gateway.settings.hybrid.repeatMessages)
  return rewritten(gateway, parsed, fields)
}

const fieldsOf = ({ body }: Parsed): Fields => fieldsIn(parseFaithfulJson(body.toString('utf8'))) ?? {}

const messagesOf = ({ messages }: Fields): readonly unknown[] => (Array.isArray(messages) ? messages : [])

function rewritten(gateway: Asked['gateway'], parsed: Parsed, fields: Fields): Parsed {
  const body = Buffer.from(JSON.stringify(fields))
  return { ...parsed, body, facts: PASSTHROUGH[parsed.surface].readRequest(body, gateway.settings.limits.jsonDepthMax) }
}
