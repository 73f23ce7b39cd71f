import { formatUsd } from '#base/money.ts'
import type { Failure } from '#codecs/codec.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Drains } from '#data-plane/drains.ts'
import type { Charge } from '#data-plane/6-reserve/charge.ts'
import type { HoldGuard } from '#data-plane/6-reserve/hold-guard.ts'
import type { Answer, WholeAnswer } from '#data-plane/7-call/answer.ts'
import type { Tally } from '#data-plane/8-meter/tally.ts'
import { applyEdits, type Edit, editedText } from '#wire/splice.ts'
import { baseHeaders } from '#data-plane/head.ts'
import { addFacts } from './facts.ts'
import { requiredMemberEdits } from './openrouter-shape.ts'
import { hasReportMember, reportEdits } from './report-member.ts'
import { costEdits, modelEdit, publicNameOf } from './rewrite.ts'
import { StreamReply } from './stream-reply.ts'

/** How an answer ended. */
export type Outcome = 'complete' | 'client_cancelled' | 'upstream_disconnect' | 'out_of_funds'

/** Books the request, with why it broke off if it did; resolves when that is durable. Called before the last byte is released (invariant 2). */
export type Settle = (outcome: Outcome, breach?: Failure) => Promise<unknown>

/** Writes the answer to the client, with its own protocol's bytes; a stream is read on for `drainMs` after its client left, and ended when `guard` finds no more money for it. Resolves when nothing is left to do. */
export function reply(
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  answer: Answer,
  tally: Tally,
  settle: Settle,
  drains: Drains,
  drainMs: number,
  guard: HoldGuard | null,
  charge: Charge,
): Promise<void> {
  if (answer.pricing) answer.pricing.tell = (usage) => charge.told(tally.costOf(usage))
  if (answer.kind === 'whole') return replyWhole(exchange, parsed, plan, answer, tally, settle, charge)
  return new StreamReply(exchange, parsed, plan, answer, tally, settle, drains, drainMs, guard, charge).run()
}

/** Longer bodies are not copied once more for it. */
export const JOINED_BYTES_MAX = 16 * 1024

async function replyWhole(
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  answer: WholeAnswer,
  tally: Tally,
  settle: Settle,
  charge: Charge,
): Promise<void> {
  const usage = tally.final()
  const cost = usage && plan.bound ? tally.costOf(usage) : null
  if (charge.exceeds(cost)) await charge.ask(cost)
  // Before the settlement: writing the answer brings to light what it loses, and the row is to say so.
  const body = rewriteWhole(exchange, parsed, answer, tally, charge)
  const saved = answer.save?.()
  await settle(exchange.departure.gone ? 'client_cancelled' : 'complete')
  if (saved) await saved
  const { response } = exchange
  if (exchange.departure.gone) return
  const headers = baseHeaders(exchange)
  headers['content-type'] = 'application/json'
  headers['content-length'] = String(body.length)
  addFacts(headers, parsed, plan, answer)
  if (cost) headers['x-gateway-cost'] = formatUsd(charge.told(cost)!.nano)
  Object.assign(headers, answer.headers)
  response.writeHead(200, headers)
  response.end(body, 'latin1')
}

/** As text, one character for each byte, a short body goes out with the head in one piece; its bytes stay what they are. */
const written = (body: Buffer, edits: readonly Edit[]): Buffer | string =>
  body.length <= JOINED_BYTES_MAX ? editedText(body, edits) : applyEdits(body, edits)

function rewriteWhole(
  exchange: Exchange,
  parsed: Parsed,
  answer: WholeAnswer,
  tally: Tally,
  charge: Charge,
): Buffer | string {
  const { body, facts } = answer
  const reports = parsed.reportsLosses && hasReportMember(parsed.surface)
  if (answer.render) {
    const rendered = answer.render(tally.final())
    return written(rendered, reports ? reportEdits(rendered, answer.report.json()) : NO_EDITS)
  }
  const edits: Edit[] = reports ? reportEdits(body, answer.report.json()) : []
  if (facts.modelSpan) {
    const edit = modelEdit(body, facts.modelSpan.start, facts.modelSpan.end, publicNameOf(answer.target.route.model))
    if (edit) edits.push(edit)
  }
  const usage = tally.reported()
  if (facts.usageOpen !== null && usage) {
    const cost = charge.told(tally.costOf(usage))
    edits.push(...costEdits(body, facts.usageOpen, cost, exchange.openRouter, facts.namesCost))
  }
  if (exchange.openRouter) edits.push(...requiredMemberEdits(exchange.endpoint.surface, body))
  return written(body, edits)
}

const NO_EDITS: readonly Edit[] = []
