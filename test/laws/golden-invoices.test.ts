/**
 * Golden invoices: for every recorded answer that tells its usage, what we would charge equals what the provider's own fields
 * say, computed a second time from its JSON with nothing of ours.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Price } from '#catalog/types.ts'
import { costOf } from '#ledger/cost.ts'
import { ABSENCE } from './corpus.ts'
import { type Dialect, type Invoice, loadInvoices } from './invoices.ts'

/** Prices that share no factor, so that no two mistakes cancel out; in pico-USD per token. */
const RATES = {
  input: 3_000_017n,
  cacheRead: 300_007n,
  cacheWrite: 3_750_019n,
  cacheWrite1h: 6_000_011n,
  output: 15_000_017n,
}
const PRICE: Price = {
  ...RATES,
  reasoning: null,
  image: null,
  request: null,
  tiers: [],
  source: 'config',
  version: 'golden',
  updatedAt: null,
}

type Fields = Readonly<Record<string, unknown>>
const object = (value: unknown): Fields => (value !== null && typeof value === 'object' ? (value as Fields) : {})
const big = (value: unknown): bigint => (typeof value === 'number' ? BigInt(value) : 0n)

interface Classes {
  readonly input: bigint
  readonly read: bigint
  readonly write: bigint
  readonly hour: bigint
  readonly output: bigint
}

/** What the usage objects of one answer say, the last word of each member, in the provider's own terms. */
const INVOICES: Readonly<Record<Dialect, (usage: Fields) => Classes>> = {
  'openai-chat': (usage) => openAi(usage, 'prompt', 'completion'),
  'openai-responses': (usage) => openAi(usage, 'input', 'output'),
  'openai-embeddings': (usage) => openAi(usage, 'prompt', 'completion'),
  'anthropic-messages': (usage) => {
    const hour = big(object(usage['cache_creation'])['ephemeral_1h_input_tokens'])
    const write = big(usage['cache_creation_input_tokens']) - hour
    return {
      input: big(usage['input_tokens']),
      read: big(usage['cache_read_input_tokens']),
      write,
      hour,
      output: big(usage['output_tokens']),
    }
  },
  gemini: (usage) => {
    const read = big(usage['cachedContentTokenCount'])
    // A tool's own prompt is a prompt, and thoughts are beside the candidates.
    const input = big(usage['promptTokenCount']) + big(usage['toolUsePromptTokenCount']) - read
    const output = big(usage['candidatesTokenCount']) + big(usage['thoughtsTokenCount'])
    return { input, read, write: 0n, hour: 0n, output }
  },
  'bedrock-converse': (usage) => {
    const details = Array.isArray(usage['cacheDetails']) ? usage['cacheDetails'].map(object) : []
    const hour = details
      .filter(({ ttl }) => ttl === '1h')
      .reduce((sum: bigint, { inputTokens }) => sum + big(inputTokens), 0n)
    return {
      input: big(usage['inputTokens']),
      read: big(usage['cacheReadInputTokens'] ?? usage['cacheReadInputTokenCount']),
      write: big(usage['cacheWriteInputTokens'] ?? usage['cacheWriteInputTokenCount']) - hour,
      hour,
      output: big(usage['outputTokens']),
    }
  },
  'cohere-chat': (usage) => {
    // What Cohere charges for is not what its model reads.
    const billed = object(usage['billed_units'])
    return { input: big(billed['input_tokens']), read: 0n, write: 0n, hour: 0n, output: big(billed['output_tokens']) }
  },
}

function openAi(usage: Fields, prompt: string, completion: string): Classes {
  const promptDetails = object(usage[`${prompt}_tokens_details`])
  const reasoning = big(object(usage[`${completion}_tokens_details`])['reasoning_tokens'] ?? usage['reasoning_tokens'])
  const all = big(usage[`${prompt}_tokens`])
  const said = big(usage[`${completion}_tokens`])
  const read = big(
    promptDetails['cached_tokens'] ??
      usage['prompt_cache_hit_tokens'] ??
      usage['num_cached_tokens'] ??
      usage['cached_tokens'],
  )
  const write = big(promptDetails['cache_write_tokens'] ?? promptDetails['cache_creation_tokens'])
  // xAI and some hosts count reasoning beside the completion: their own total says so.
  const isApart = reasoning > 0n && (big(usage['total_tokens']) === all + said + reasoning || reasoning > said)
  const output = isApart ? said + reasoning : said
  // Grok at Azure and one Mistral count the cache beside the prompt: it is larger than the prompt.
  if (read > all) return { input: all, read, write, hour: 0n, output }
  // Gemini behind OpenRouter counts what was written among what was read.
  if (read + write > all) return { input: all - read, read, write: 0n, hour: 0n, output }
  return { input: all - read - write, read, write, hour: 0n, output }
}

/** The last word on each member: some providers repeat, some add to what they said first. */
function usageIn({ dialect, values }: Invoice): Fields {
  const found = values.flatMap((value) => {
    const each = object(value)
    const holders = [each, object(each['message']), object(each['response']), object(each['delta'])]
    return holders.flatMap((holder) => {
      const usage = holder['usage'] ?? holder['usageMetadata']
      return usage === null || usage === undefined ? [] : [object(usage)]
    })
  })
  // A usage stands for the whole so far; Messages name only what is new.
  return dialect === 'anthropic-messages' ? merged(found) : (found.at(-1) ?? {})
}

const merged = (all: readonly Fields[]): Fields =>
  Object.assign(
    {},
    ...all.map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== null))),
  )

/** The one rounding: half up, to nano-USD. */
const nanoOf = (pico: bigint): bigint => (pico + 500n) / 1000n

/** How many there are of each; a new recording is to be counted, and none may fall out. */
const INVOICES_MIN: Readonly<Record<Dialect, number>> = {
  'openai-chat': 663,
  'openai-responses': 326,
  'openai-embeddings': 29,
  'anthropic-messages': 249,
  gemini: 230,
  'bedrock-converse': 128,
  'cohere-chat': 46,
}
/** Two models of Bedrock that have a protocol of their own, and Ollama's own API: no backend of ours speaks them. */
const LEFT_OUT_MAX = 25

/** Answers that tell a total only, or that were asked of Groq without their usage, which the gateway always asks for: they are estimated, and flagged. */
const UNTOLD_MAX = 5

suite('golden invoices', { skip: ABSENCE }, () => {
  const { invoices, leftOut } = ABSENCE ? { invoices: [], leftOut: new Map<string, number>() } : loadInvoices()

  test('every recorded answer with usage is an invoice, but for those that no backend speaks', (t) => {
    const counts = Map.groupBy(invoices, ({ dialect }) => dialect)
    for (const [dialect, least] of Object.entries(INVOICES_MIN)) {
      const count = counts.get(dialect as Dialect)?.length ?? 0
      assert.ok(count >= least, `${count} of ${dialect}`)
      t.diagnostic(`${count} ${dialect}`)
    }
    for (const [why, count] of leftOut) t.diagnostic(`${count} left out: ${why}`)
    assert.ok([...leftOut.values()].reduce((sum, count) => sum + count, 0) <= LEFT_OUT_MAX)
  })

  test('what is charged for every recorded answer is what its provider’s fields say', (t) => {
    const wrong: string[] = []
    const untold: string[] = []
    for (const invoice of invoices) {
      const theirs = usageIn(invoice)
      const { input, read, write, hour, output } = INVOICES[invoice.dialect](theirs)
      const pico =
        input * RATES.input +
        read * RATES.cacheRead +
        write * RATES.cacheWrite +
        hour * RATES.cacheWrite1h +
        output * RATES.output
      if (invoice.usage === null) {
        if (pico > 0n) wrong.push(`${invoice.id}: nothing was read of ${JSON.stringify(theirs)}`)
        untold.push(`${invoice.id}: ${JSON.stringify(theirs)}`)
        continue
      }
      const cost = costOf(invoice.usage, PRICE)
      // The receipt explains the sum: its lines add up to it.
      assert.equal(
        cost.lines.reduce((sum, line) => sum + BigInt(line.count) * line.price, 0n),
        cost.pico,
      )
      if (cost.pico !== pico || cost.nano !== nanoOf(pico))
        wrong.push(`${invoice.id}: ${cost.pico} and not ${pico}: ${JSON.stringify(theirs)}`)
    }
    assert.deepEqual(wrong, [])
    for (const line of untold) t.diagnostic(`no class of tokens is told: ${line}`)
    assert.ok(untold.length <= UNTOLD_MAX, `${untold.length}`)
  })
})
