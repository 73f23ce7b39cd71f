import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Protocol } from '#base/protocols.ts'
import type { StreamReader } from '#codecs/codec.ts'
import { CLIENT_CODECS } from '#codecs/index.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { bareName, countTokens, familyOf } from '#tokens/count-tokens.ts'
import { loadEncoding } from '#tokens/encodings.ts'

/** Tokens of a stream that broke off. */
export interface Counted {
  /** Null where the upstream has told them. */
  readonly input: number | null
  readonly output: number
}

/** So many answers are counted at a time; of the others the bytes have to do. A burst of leaving clients must not keep the rest waiting. */
export const COUNTS_MAX = 512
/** A longer request is counted from slices of it. */
export const COUNTED_BODY_BYTES_MAX = 64 * 1024
const SLICES = 8
const SLICE_BYTES = 4096

let running = 0

/**
 * Counts what a stream has delivered and what it was asked, where its upstream does not say (R77, fault M3): by the sample of
 * its text, in the encoding of the model's family. Null when too many are under way, or something cannot be counted.
 */
export async function countDelivered(parsed: Parsed, target: Target, reader: StreamReader): Promise<Counted | null> {
  return bounded(async () => {
    const output = await outputOf(target, reader, reader.contentBytes)
    if (output === null) return null
    const input = reader.usage?.input == null ? await promptOf(parsed, target) : null
    return { input, output }
  })
}

/** Tokens of the first `bytes` of what a stream has said; null as above. */
export const countOutput = (target: Target, reader: StreamReader, bytes: number): Promise<number | null> =>
  bounded(() => outputOf(target, reader, bytes))

async function bounded<T>(count: () => Promise<T>): Promise<T | null> {
  if (running >= COUNTS_MAX) return null
  running++
  try {
    return await count()
  } catch {
    // What its codec cannot read was answered all the same.
    return null
  } finally {
    running--
  }
}

async function outputOf({ route }: Target, { sample }: StreamReader, bytes: number): Promise<number | null> {
  // Taken now: a stream may go on while it is counted.
  const { length } = sample
  const text = sample.text()
  const { family } = familyOf(bareName(route.upstreamModel), route.model.vendor)
  const encoding = await loadEncoding(family.encoding)
  if (length === 0) return null
  return Math.max(1, Math.round((encoding.count(text) * family.weights.text * bytes) / length))
}

/** Tokens of the prompt, as the upstream would count them. */
async function promptOf(parsed: Parsed, target: Target): Promise<number> {
  const { route, protocol } = target
  const model = { id: route.upstreamModel, vendor: route.model.vendor, protocol }
  if (parsed.body.length > COUNTED_BODY_BYTES_MAX) return sampledPrompt(parsed.body, model)
  const codec = CLIENT_CODECS[parsed.surface as Exclude<Protocol, 'openai-embeddings'>]!
  const request = codec.decodeRequest(parseFaithfulJson(parsed.body.toString('utf8')), { stream: true })
  return (await countTokens(request, model)).tokens
}

/** Tokens of a long body, from slices that lie evenly in it. */
async function sampledPrompt(body: Buffer, { id, vendor }: { id: string; vendor: string }): Promise<number> {
  const { family } = familyOf(bareName(id), vendor)
  const encoding = await loadEncoding(family.encoding)
  let tokens = 0
  for (let slice = 0; slice < SLICES; slice++) {
    const from = Math.floor(((body.length - SLICE_BYTES) * slice) / (SLICES - 1))
    tokens += encoding.count(body.toString('utf8', from, from + SLICE_BYTES))
  }
  return Math.round((tokens * family.weights.text * body.length) / (SLICES * SLICE_BYTES))
}
