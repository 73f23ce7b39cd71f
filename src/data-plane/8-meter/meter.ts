import { adapterOf } from '#base/protocols.ts'
import { NO_USAGE, type Usage } from '#ir/usage.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { StreamReader } from '#codecs/codec.ts'
import type { Answer, LostAttempt } from '#data-plane/7-call/answer.ts'
import { type Cost, costOf, reportedCost } from '#ledger/cost.ts'
import type { Price } from '#catalog/types.ts'
import { type Counted, countDelivered, countOutput } from './count-delivered.ts'
import { isInsured, type Said, unpaid } from './insurance.ts'
import type { LostCost, LostTally, Tally } from './tally.ts'

/** Bytes of text per token where nobody counted: the field's rule of thumb for English prose and JSON. */
export const BYTES_PER_TOKEN = 4

/** Hardly any text has more bytes per token. */
const TOKEN_BYTES_MAX = 6

/** Measures an answer; `billsEmpty` switches the insurance of empty ones off. Pure; the estimate is the only place where a count is made up, and it says so. */
export function meter(parsed: Parsed, plan: Plan, answer: Answer, billsEmpty = false): Tally {
  const tally = meterLegs(parsed, plan, answer, billsEmpty)
  const lost = meterLost(parsed, plan, answer)
  return lost.length === 0 ? tally : { ...tally, lost }
}

function meterLegs(parsed: Parsed, plan: Plan, answer: Answer, billsEmpty: boolean): Tally {
  const tally = meterOne(parsed, plan, answer, billsEmpty)
  const { reasoning } = answer
  if (!reasoning || !plan.reasoning) return tally
  // Both legs are paid with the answer of the second (R40).
  const first = meterOne(reasoning.parsed, plan.reasoning, reasoning.answer, billsEmpty)
  const usage = first.final()
  const extra = usage && first.costOf(usage)
  return { ...tally, costOf: (own) => both(tally.costOf(own), extra) }
}

const both = (own: Cost | null, extra: Cost | null): Cost | null =>
  own &&
  (extra === null
    ? own
    : {
        pico: own.pico + extra.pico,
        nano: own.nano + extra.nano,
        listNano: own.listNano + extra.listNano,
        meteredNano: own.meteredNano + extra.meteredNano,
        lines: [...own.lines, ...extra.lines],
      })

function meterOne(parsed: Parsed, plan: Plan, answer: Answer, billsEmpty: boolean): Tally {
  const price = answer.target.route.price
  const said = answer.kind === 'whole' ? answer.facts : answer.reader
  const costOf = pricing(price, billsEmpty || parsed.operation !== 'generate' ? null : said)
  if (answer.kind === 'whole') {
    const { facts } = answer
    const isFree = plan.bound === null
    return {
      price,
      costOf,
      reported: () => facts.usage,
      final: () => (isFree ? NO_USAGE : (facts.usage ?? estimate(parsed, plan, null, facts.contentBytes))),
      finishReason: () => facts.finishReason,
      responseId: () => facts.responseId,
      toolCallsCount: () => facts.toolCallsCount,
      count: () => null,
      delivered: () => Promise.resolve(null),
    }
  }
  const { reader } = answer
  let counted: Counted | null = null
  return {
    price,
    costOf,
    reported: () => reader.usage,
    final: () => {
      if (reader.usage && (reader.complete || tellsAll(reader))) return reader.usage
      if (!reader.complete && saysNothing(reader)) return null
      return estimate(parsed, plan, reader.usage, reader.contentBytes, counted)
    },
    delivered: (bytes) => countOutput(answer.target, reader, bytes),
    count: () => {
      if ((reader.usage && (reader.complete || tellsAll(reader))) || saysNothing(reader)) return null
      return countDelivered(parsed, answer.target, reader).then((found) => void (counted = found))
    },
    finishReason: () => reader.finishReason,
    responseId: () => reader.responseId,
    toolCallsCount: () => reader.toolCallsCount,
  }
}

const NONE: readonly LostTally[] = []

function meterLost(parsed: Parsed, plan: Plan, { lost, reasoning }: Answer): readonly LostTally[] {
  if (!lost && !reasoning) return NONE
  const own = (lost ?? []).map((attempt): LostTally => ({
    attempt,
    adapter: adapterOf(parsed.surface, attempt.target.protocol),
    ended: (promptTokens) =>
      attempt.ended.then((answer) =>
        answer === undefined ? undefined : { answer, ...costOfLost(parsed, plan, attempt, answer, promptTokens) },
      ),
  }))
  if (!reasoning || !plan.reasoning) return own
  return [...own, ...meterLost(reasoning.parsed, plan.reasoning, reasoning.answer)]
}

/**
 * What it had said is counted as that of a client who left: its provider grants no insurance of empty answers. Where it said
 * nothing, it still had to read the prompt, which is estimated.
 */
function costOfLost(
  parsed: Parsed,
  plan: Plan,
  { target }: LostAttempt,
  answer: Answer | null,
  promptTokens: number | null,
): Omit<LostCost, 'answer'> {
  const tally = answer && meterOne(parsed, plan, answer, true)
  const said = tally?.final()
  if (tally && said) return { usage: said, cost: tally.costOf(said) }
  const isFree = plan.bound === null
  const usage = isFree ? NO_USAGE : estimate(parsed, plan, null, 0, { input: promptTokens, output: 0 })
  return { usage, cost: pricing(target.route.price, null)(usage) }
}

/** One usage is priced several times (ledger, header, body): the arithmetic is done once. */
function pricing(price: Price | null, insured: Said | null): (usage: Usage) => Cost | null {
  let last: { usage: Usage; cost: Cost } | null = null
  return (usage) => {
    if (price === null) return null
    if (price.source !== 'reported' && last?.usage !== usage) last = { usage, cost: costOf(usage, price) }
    const cost = price.source === 'reported' ? reportedCost(usage, price) : last!.cost
    return cost !== null && insured !== null && isInsured(usage, insured) ? unpaid(cost) : cost
  }
}

const saysNothing = ({ contentBytes, toolCallsCount }: StreamReader): boolean =>
  contentBytes === 0 && toolCallsCount === 0

/**
 * Whether the last report is of all that was delivered, though the stream has not ended: then it is the bill of an upstream that
 * stops here. A count that stands still while the text goes on is none.
 */
function tellsAll({ usage, contentBytes, reportedBytes, finishReason }: StreamReader): boolean {
  if (contentBytes === 0 || reportedBytes !== contentBytes || !usage?.output || usage.input === null) return false
  return finishReason !== null || contentBytes <= usage.output * TOKEN_BYTES_MAX
}

/**
 * Tokens as they were counted here, else from bytes. A partial report (a Messages stream names its prompt first) is kept
 * where it says more.
 */
function estimate(
  parsed: Parsed,
  plan: Plan,
  partial: Usage | null,
  contentBytes: number,
  counted: Counted | null = null,
): Usage {
  const promptMax = plan.bound?.inputTokensMax ?? Number.MAX_SAFE_INTEGER
  const prompt = Math.max(1, Math.min(promptMax, counted?.input ?? Math.ceil(parsed.body.length / BYTES_PER_TOKEN)))
  const output = Math.max(partial?.output ?? 0, counted?.output ?? Math.ceil(contentBytes / BYTES_PER_TOKEN))
  return {
    input: partial?.input ?? prompt,
    cacheRead: partial?.cacheRead ?? null,
    cacheWrite: partial?.cacheWrite ?? null,
    cacheWrite1h: partial?.cacheWrite1h ?? null,
    output: parsed.operation === 'embed' ? 0 : output,
    reasoning: partial?.reasoning ?? null,
    source: 'estimated',
  }
}
