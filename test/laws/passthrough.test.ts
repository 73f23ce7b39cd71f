import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Surface } from '#base/protocols.ts'
import type { AnswerFacts } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Usage } from '#ir/usage.ts'
import { JsonError } from '#wire/json-scan.ts'
import { applyEdits } from '#wire/splice.ts'
import { ABSENCE, loadRecordings, type RecordedUsage, type Recording } from './corpus.ts'
import { cut, randomOf, readPieces } from './reading.ts'

/** The laws of the passthrough over everything that was recorded (design.md section 4, laws 5 and 6; invariants 4, 5). */

const RECORDINGS: readonly Recording[] = ABSENCE ? [] : loadRecordings()
const STREAMS = RECORDINGS.filter(({ events, status }) => events !== null && status === 200)
const ANSWERS = RECORDINGS.filter(({ answer, status }) => answer !== null && status === 200)
const REQUESTS = RECORDINGS.filter(({ request }) => request !== null)
const JSON_DEPTH_MAX = 128
/** Streams up to this size are also read byte by byte. */
const SINGLE_BYTES_MAX = 8000
const SEED = 20260731

const law = (name: string, check: () => void): void => {
  test(name, { skip: ABSENCE }, check)
}

law('there is something to hold the laws against', () => {
  const streamed = Map.groupBy(STREAMS, ({ surface }) => surface)
  const whole = Map.groupBy(ANSWERS, ({ surface }) => surface)
  const surfaces: Surface[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']
  for (const surface of surfaces) {
    assert.ok(streamed.get(surface)!.length >= 50, surface)
    assert.ok(whole.get(surface)!.length >= 100, surface)
  }
})

law('a stream means the same however its bytes are cut and its lines end', () => {
  const random = randomOf(SEED)
  for (const { id, surface, events } of STREAMS) {
    const bytes = Buffer.from(events!)
    const whole = readPieces(surface, [bytes])
    const same = (pieces: Iterable<Buffer>, how: string) =>
      assert.deepEqual(readPieces(surface, pieces), whole, `${id} ${how}`)
    same(cut(bytes, 40, random), 'cut into small pieces')
    same(cut(bytes, 2000, random), 'cut into large pieces')
    if (bytes.length <= SINGLE_BYTES_MAX) same(cut(bytes, 1, random), 'byte by byte')
    for (const lineEnd of ['\r\n', '\r']) {
      const other = Buffer.from(events!.replaceAll('\n', lineEnd))
      const { output, ...rest } = readPieces(surface, cut(other, 100, random))
      assert.deepEqual({ ...rest, output: output.replaceAll(lineEnd, '\n') }, whole, `${id} with other line ends`)
    }
  }
})

law('only our name of the model and the cost are changed', () => {
  for (const { id, surface, events } of STREAMS) {
    const { output } = readPieces(surface, [Buffer.from(events!)])
    const theirs = events!.split('\n')
    const ours = Buffer.from(output, 'latin1').toString().split('\n')
    assert.equal(ours.length, theirs.length, id)
    for (const [at, line] of theirs.entries()) {
      if (line === ours[at]) continue
      const [before, after] = [line, ours[at]!].map((text) => JSON.parse(text.slice(text.indexOf('{'))) as unknown)
      assert.deepEqual(withoutOurs(after), withoutOurs(before), id)
    }
  }
})

law('a stream is never complete before its finish was seen', () => {
  const random = randomOf(SEED)
  for (const { id, surface, events } of STREAMS) {
    const bytes = Buffer.from(events!)
    const endsInEvent = surface === 'anthropic-messages' || surface === 'openai-responses'
    for (const length of [bytes.length, random(bytes.length), bytes.length - 1 - random(Math.min(100, bytes.length))]) {
      readPieces(surface, [bytes.subarray(0, Math.max(0, length))], (reader, roles) => {
        const isTold = roles.includes('terminal') || (!endsInEvent && reader.finishReason !== null)
        assert.ok(!reader.complete || isTold, `${id} cut at ${length}`)
      })
    }
  }
})

law("a stream is complete with its finish or its end, and the finish is the provider's", () => {
  for (const { id, surface, events, finish } of STREAMS) {
    const { complete, facts, roles } = readPieces(surface, [Buffer.from(events!)])
    const { failure, finishReason } = facts as Pick<AnswerFacts, 'failure' | 'finishReason'>
    if (failure) continue
    assert.equal(complete, finishReason !== null || roles.includes('terminal'), id)
    assertFinish(finishReason, finish, id)
  }
})

law("the usage of a stream is the provider's", () => {
  let compared = 0
  for (const { id, surface, events, usage } of STREAMS) {
    const { usage: read } = readPieces(surface, [Buffer.from(events!)]).facts as Pick<AnswerFacts, 'usage'>
    compared += assertUsage(surface, read, usage, id, events!.includes('"x_groq"'))
  }
  assert.ok(compared >= 300, `${compared} compared`)
})

law("the usage and the finish of a whole answer are the provider's", () => {
  let compared = 0
  for (const { id, surface, answer, usage, finish } of ANSWERS) {
    const facts = PASSTHROUGH[surface].readAnswer(answer!)
    if (facts.failure) continue
    if (surface !== 'openai-embeddings') assertFinish(facts.finishReason, finish, id)
    compared += assertUsage(surface, facts.usage, usage, id)
  }
  assert.ok(compared >= 800, `${compared} compared`)
})

law('a whole answer means the same however it is written, and only its model is renamed', () => {
  for (const { id, surface, answer } of ANSWERS) {
    const codec = PASSTHROUGH[surface]
    const value = JSON.parse(answer!.toString()) as Record<string, unknown>
    const facts = codec.readAnswer(answer!)
    const spaced = codec.readAnswer(Buffer.from(JSON.stringify(value, null, 2)))
    assert.deepEqual(comparable(spaced), comparable(facts), id)
    const { modelSpan } = facts
    if (!modelSpan) continue
    const renamed = applyEdits(answer!, [{ ...modelSpan, bytes: Buffer.from('"ours"') }])
    const member = surface === 'gemini' ? 'modelVersion' : 'model'
    assert.deepEqual(JSON.parse(renamed.toString()), { ...value, [member]: 'ours' }, id)
  }
})

law('a truncated whole answer is no JSON', () => {
  const random = randomOf(SEED)
  for (const { id, surface, answer } of ANSWERS) {
    const part = answer!.subarray(0, random(answer!.length))
    assert.throws(() => PASSTHROUGH[surface].readAnswer(part), JsonError, id)
  }
})

law('a request for the same model keeps its bytes', () => {
  for (const { id, surface, request } of REQUESTS) {
    const facts = PASSTHROUGH[surface].readRequest(request!, JSON_DEPTH_MAX)
    if (facts.model === null && surface !== 'gemini') continue
    const model = facts.model ?? geminiModelIn(request!)
    assert.ok(PASSTHROUGH[surface].writeRequest(request!, facts, { model }).equals(request!), id)
  }
})

law('renaming the model and lowering the limit change nothing else', () => {
  for (const { id, surface, request } of REQUESTS) {
    const codec = PASSTHROUGH[surface]
    const value = JSON.parse(request!.toString()) as Record<string, unknown>
    for (const body of [request!, Buffer.from(JSON.stringify(value, null, 2))]) {
      const facts = codec.readRequest(body, JSON_DEPTH_MAX)
      const written = (changes: object): unknown =>
        JSON.parse(codec.writeRequest(body, facts, { model: 'ours', ...changes }).toString())
      const model = surface === 'gemini' ? ('model' in value ? { model: 'models/ours' } : {}) : { model: 'ours' }
      assert.deepEqual(written({}), { ...value, ...model }, id)
      if (surface === 'openai-embeddings') continue
      const lowered = Buffer.from(JSON.stringify(written({ outputTokensMax: 7, includeUsage: true })))
      const again = codec.readRequest(lowered, JSON_DEPTH_MAX)
      assert.equal(again.outputTokensMax, 7, id)
      if (surface === 'openai-chat') assert.equal(again.showsUsage, true, id)
    }
  }
})

/** The value without what we put there: the model's name, and the cost of a usage. */
function withoutOurs(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, each: unknown) =>
      key === 'model' || key === 'modelVersion' || key === 'cost' ? undefined : each,
    ),
  )
}

function comparable(facts: AnswerFacts): unknown {
  const { modelSpan, usageOpen, ...rest } = facts
  return { ...rest, hasModel: modelSpan !== null, hasUsage: usageOpen !== null }
}

function geminiModelIn(request: Buffer): string {
  const { model } = JSON.parse(request.toString()) as { model?: string }
  return model?.replace(/^models\//, '') ?? 'any'
}

/** The recording tells a refused prompt in a word of its own, and an empty finish as none. */
function assertFinish(read: string | null, recorded: string | null, id: string): void {
  assert.equal(read || null, recorded?.replace(/^PROMPT_BLOCKED:/, 'blocked:') || null, id)
}

/** Compares in the provider's own terms; returns whether there was something to compare. */
function assertUsage(
  surface: Surface,
  read: Usage | null,
  recorded: RecordedUsage | null,
  id: string,
  isElsewhere = false,
): number {
  if (!recorded || (recorded.input === undefined && recorded.output === undefined)) return 0
  // Groq repeats the usage in a member of its own, alone where nobody asked for it.
  if (!read && isElsewhere) return 0
  assert.ok(read, `${id} has a usage`)
  const { input = 0, output = 0, cache_read: cached = 0, cache_write: written = 0, reasoning = 0 } = recorded
  const toolInput = recorded.tool_input ?? 0
  const isBeside = surface === 'anthropic-messages'
  // What was written may be counted among what was read (Gemini behind OpenRouter): the classes are disjoint here.
  const isAmong = cached <= input && written <= input && cached + written > input && !isBeside
  assert.equal((read.cacheWrite ?? 0) + (read.cacheWrite1h ?? 0), isAmong ? 0 : written, `${id} cache write`)
  assert.equal(read.cacheRead ?? 0, cached, `${id} cache read`)
  assert.equal(read.reasoning ?? 0, reasoning, `${id} reasoning`)
  // More cached than prompted: these hosts count the cache beside the prompt.
  const inside = isAmong ? cached : isBeside || cached + written > input ? 0 : cached + written
  assert.equal(read.input ?? 0, input - inside + toolInput, `${id} input`)
  const isTold = recorded.total === input + output + reasoning || reasoning > output
  const isApart = surface === 'gemini' || (reasoning > 0 && isTold)
  assert.equal(read.output ?? 0, isApart ? output + reasoning : output, `${id} output`)
  return 1
}
