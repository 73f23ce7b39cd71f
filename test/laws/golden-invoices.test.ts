/**
 * Golden invoices: for every recorded answer that tells its usage, what we would charge equals what the provider's own fields
 * say, computed a second time from its JSON with nothing of ours.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Price } from '#catalog/types.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Surface } from '#base/protocols.ts'
import { costOf } from '#ledger/cost.ts'
import type { Usage } from '#ir/usage.ts'
import { ABSENCE, loadRecordings, type Recording } from './corpus.ts'
import { readPieces } from './reading.ts'

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
const INVOICES: Record<Exclude<Surface, 'count'>, (usage: Fields) => Classes> = {
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

/** Every JSON object of the answer, in its order. */
function objectsOf({ answer, events }: Recording): Fields[] {
  if (answer) return [object(JSON.parse(answer.toString('utf8')))]
  return events!.split('\n').flatMap((line) => {
    if (!line.startsWith('data:') || !line.slice(5).trim().startsWith('{')) return []
    return [object(JSON.parse(line.slice(5)))]
  })
}

/** The last word on each member: some providers repeat, some add to what they said first. */
function usageIn(recording: Recording): Fields | null {
  const found = objectsOf(recording).flatMap((each) => {
    const usage =
      each['usage'] ?? object(each['message'])['usage'] ?? object(each['response'])['usage'] ?? each['usageMetadata']
    return usage === null || usage === undefined ? [] : [object(usage)]
  })
  if (found.length === 0) return null
  // A chat or Gemini usage stands for the whole so far; Messages name only what is new.
  return recording.surface === 'anthropic-messages' ? merged(found) : found.at(-1)!
}

const merged = (all: readonly Fields[]): Fields =>
  Object.assign(
    {},
    ...all.map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== null))),
  )

function ours({ surface, answer, events }: Recording): Usage | null {
  if (answer) return PASSTHROUGH[surface].readAnswer(answer).usage
  let usage: Usage | null = null
  readPieces(surface, [Buffer.from(events!)], (reader) => (usage = reader.usage))
  return usage
}

const INVOICES_MIN = 1400

suite('golden invoices', { skip: ABSENCE }, () => {
  test('what is charged for every recorded answer is what its provider’s fields say', () => {
    let invoices = 0
    const wrong: string[] = []
    for (const recording of loadRecordings()) {
      if (recording.status !== 200 || (!recording.answer && !recording.events)) continue
      const theirs = usageIn(recording)
      const usage = theirs && ours(recording)
      if (!theirs || !usage) continue
      const { input, read, write, hour, output } = INVOICES[recording.surface](theirs)
      const pico =
        input * RATES.input +
        read * RATES.cacheRead +
        write * RATES.cacheWrite +
        hour * RATES.cacheWrite1h +
        output * RATES.output
      const cost = costOf(usage, PRICE)
      // The receipt explains the sum: its lines add up to it.
      assert.equal(
        cost.lines.reduce((sum, line) => sum + BigInt(line.count) * line.price, 0n),
        cost.pico,
      )
      invoices++
      if (cost.pico !== pico) wrong.push(`${recording.id}: ${cost.pico} and not ${pico}: ${JSON.stringify(theirs)}`)
    }
    assert.deepEqual(wrong, [])
    assert.ok(invoices >= INVOICES_MIN, `only ${invoices} invoices`)
  })
})
