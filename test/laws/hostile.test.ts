import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Surface } from '#base/protocols.ts'
import { GatewayError } from '#base/errors.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import { EventFramer } from '#wire/sse.ts'
import { JsonError } from '#wire/json-scan.ts'
import type { EventReader } from '#codecs/event-reader.ts'
import { factsOf, FACTS, randomOf, rewriteEvent } from './reading.ts'

/** Whatever an upstream or a client sends, a codec answers with a role or an error of ours, and in time. */

const SURFACES: Surface[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']
const ROUNDS = 20_000
const TIMEOUT_MS = 20_000
const SEED = 7
const LETTERS = Buffer.from('{}[]":,\\ \n\r\t0-9.eE+x\u0000ünulltrue')
/** Words that mean something to some codec: put where they do not belong. */
const WORDS = [
  '"error":',
  '"usage":',
  '"finish_reason":"',
  '"finishReason":',
  'data: ',
  '[DONE]',
  'null',
  '"type":"error"',
].map((word) => Buffer.from(word))

const streamOf = (surface: Surface): Buffer =>
  readFileSync(new URL(`../../src/codecs/${surface}/fixtures/stream.sse`, import.meta.url))

/** The bytes with one to four changes. */
function mutate(source: Buffer, random: (below: number) => number): Buffer {
  let bytes = source
  for (let change = 0; change <= random(4); change++) {
    const at = random(bytes.length + 1)
    const end = Math.min(bytes.length, at + random(30))
    const kind = random(5)
    const letter = LETTERS.subarray(random(LETTERS.length)).subarray(0, 1)
    const inserted = [letter, WORDS[random(WORDS.length)]!, bytes.subarray(at, end), Buffer.alloc(0), letter][kind]!
    bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(kind < 3 ? at : kind === 3 ? end : at + 1)])
  }
  return bytes
}

for (const surface of SURFACES) {
  test(`no event of ${surface} makes its reader throw or point outside of it`, { timeout: TIMEOUT_MS }, () => {
    const random = randomOf(SEED)
    const events = new EventFramer(1024 * 1024).push(streamOf(surface))
    for (let round = 0; round < ROUNDS; round++) {
      const reader = PASSTHROUGH[surface].openStream(FACTS)
      const event = mutate(events[random(events.length)]!, random)
      const what = JSON.stringify(event.toString())
      const role = reader.read(event)
      assert.equal(role === 'failure', reader.failure !== null && role !== 'terminal', what)
      assert.ok(reader.modelStart < 0 || (reader.modelStart < reader.modelEnd && reader.modelEnd <= event.length), what)
      assert.ok(reader.contentBytes >= 0 && reader.contentBytes <= event.length, what)
      assert.doesNotThrow(() => rewriteEvent(event, reader), what)
    }
  })

  test(`an event of ${surface} that repeats another says what it says when read anew`, { timeout: TIMEOUT_MS }, () => {
    const random = randomOf(SEED)
    const events = new EventFramer(1024 * 1024).push(streamOf(surface))
    let repeated = 0
    for (let round = 0; round < ROUNDS; round++) {
      const event = events[random(events.length)]!
      const mutant = random(4) === 0 ? event : mutate(event, random)
      const [quick, full] = [0, 1].map(() => PASSTHROUGH[surface].openStream(FACTS) as EventReader)
      quick!.read(event)
      full!.readAnew(event)
      const what = JSON.stringify([event.toString(), mutant.toString()])
      const repeats = quick!.repeats(mutant)
      if (!repeats) {
        assert.deepEqual(factsOf(quick!), factsOf(full!), what)
        continue
      }
      repeated++
      const framer = new EventFramer(1024 * 1024)
      assert.deepEqual(framer.push(mutant), [mutant], what)
      assert.equal(framer.end(), null, what)
      assert.equal(full!.readAnew(mutant), 'content', what)
      assert.deepEqual(factsOf(quick!), factsOf(full!), what)
      const [left, right] = [quick!, full!].map((reader) => rewriteEvent(mutant, reader).toString('latin1'))
      assert.equal(left, right, what)
    }
    // Gemini tells its usage in each event, which is read each time.
    assert.equal(repeated > ROUNDS / 50, surface !== 'gemini', `${repeated} repeated`)
  })

  test(`no body makes ${surface} throw anything but an error of ours`, { timeout: TIMEOUT_MS }, () => {
    const random = randomOf(SEED)
    const codec = PASSTHROUGH[surface]
    const text = streamOf(surface).toString()
    const bodies = [...text.matchAll(/^data: (\{.*)$/gm)].map((match) => Buffer.from(match[1]!))
    const request =
      '{"model":"m","stream":true,"max_tokens":5,"n":2,"generationConfig":{"maxOutputTokens":3},"stream_options":{}}'
    for (let round = 0; round < ROUNDS; round++) {
      const answer = mutate(bodies[random(bodies.length)]!, random)
      const isOurs = (error: unknown) => error instanceof JsonError || error instanceof GatewayError
      assertOnly(() => codec.readAnswer(answer), isOurs, answer)
      const body = mutate(Buffer.from(request), random)
      assertOnly(
        () => {
          const changes = { model: 'x', outputTokensMax: 1, includeUsage: true }
          const written = codec.writeRequest(body, codec.readRequest(body, 64), changes)
          JSON.parse(written.toString())
        },
        isOurs,
        body,
      )
    }
  })
}

function assertOnly(act: () => void, isOurs: (error: unknown) => boolean, bytes: Buffer): void {
  try {
    act()
  } catch (error) {
    assert.ok(isOurs(error), `${String(error)} at ${JSON.stringify(bytes.toString())}`)
  }
}
