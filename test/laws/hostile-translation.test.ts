import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { faultsOf, framesOf } from './answers.ts'
import {
  answerContext,
  type ChatProtocol,
  clientOf,
  CLIENTS,
  isClient,
  smallRequest,
  upstreamOf,
  UPSTREAMS,
} from './exchanges.ts'
import { randomOf } from './reading.ts'

/** Whatever an upstream or a client sends, a translating codec answers with events within their grammar or with a failure. */

const ROUNDS = 12_000
const TIMEOUT_MS = 20_000
const SEED = 11
/** Events that one frame can lead to are bounded by what is in it. */
const EVENTS_MAX = 2000
const LETTERS = '{}[]":,\\ \n\r\t0-9.eE+xünulltrue'
/** Values that mean something elsewhere: put where they do not belong. */
const VALUES: readonly unknown[] = [null, '', 0, -1, 1e300, true, [], {}, [null], 'stop', '�', ['x'], { type: 'text' }]

type Random = (below: number) => number

for (const protocol of UPSTREAMS) {
  test(`no stream of ${protocol} makes its decoder throw or leave the grammar`, { timeout: TIMEOUT_MS }, () => {
    const random = randomOf(SEED)
    const frames = fixtureOf(protocol)
    const faults = new Map<string, string>()
    let failures = 0
    for (let round = 0; round < ROUNDS; round++) {
      const mutants = mutated(frames, protocol, random)
      const { events, hasFailed } = decodeAll(protocol, mutants)
      const what = JSON.stringify(mutants.map(String))
      assert.ok(events.length < EVENTS_MAX, what)
      for (const fault of faultsOf(events, !hasFailed).filter(isGrammar)) faults.set(fault, faults.get(fault) ?? what)
      if (hasFailed) failures++
      if (round % 10 === 0) writeAll(protocol, events, what)
    }
    assert.deepEqual([...faults], [])
    assert.ok(failures > 0 && failures < ROUNDS, `${failures} failures`)
  })

  test(`no whole answer of ${protocol} makes its decoder throw`, { timeout: TIMEOUT_MS }, () => {
    const random = randomOf(SEED)
    const bodies = fixtureOf(protocol).flatMap((frame) => /\{.*\}/.exec(frame.toString())?.[0] ?? [])
    for (let round = 0; round < ROUNDS; round++) {
      const body = damaged(JSON.parse(bodies[random(bodies.length)]!), random)
      const { events, failure } = upstreamOf(protocol).decodeWhole(body, { candidates: 1 })
      assert.deepEqual(faultsOf(events, failure === null).filter(isGrammar), [], JSON.stringify(body))
    }
  })
}

for (const protocol of CLIENTS) {
  test(
    `no request of ${protocol} makes its decoder throw anything but an error of ours`,
    { timeout: TIMEOUT_MS },
    () => {
      const random = randomOf(SEED)
      for (let round = 0; round < ROUNDS; round++) {
        const body = damaged(smallRequest(protocol, true), random)
        try {
          clientOf(protocol).decodeRequest(body, { stream: true })
        } catch (error) {
          assert.ok(error instanceof GatewayError, `${String(error)} at ${JSON.stringify(body)}`)
        }
      }
    },
  )
}

/** A finish that was not told is missed by the data plane, which asks whether the answer is complete. */
const isGrammar = (fault: string): boolean => !fault.includes('has no finish')

function decodeAll(protocol: ChatProtocol, frames: readonly Buffer[]): { events: ChatEvent[]; hasFailed: boolean } {
  const decoder = upstreamOf(protocol).openDecoder({ candidates: 1 })
  const events: ChatEvent[] = []
  for (const frame of frames) {
    events.push(...decoder.push(frame))
    if (decoder.failure) return { events, hasFailed: true }
  }
  events.push(...decoder.end())
  return { events, hasFailed: decoder.failure !== null }
}

/** Every client can be told all of it. */
function writeAll(protocol: ChatProtocol, events: readonly ChatEvent[], what: string): void {
  for (const client of CLIENTS) {
    const encoder = clientOf(client).openEncoder(answerContext(client, protocol, true))
    assert.doesNotThrow(() => {
      for (const event of events) encoder.push(event)
      encoder.end()
    }, what)
  }
}

/** The frames of a stream; a few of them damaged, left out, repeated or exchanged. */
function mutated(frames: readonly Buffer[], protocol: ChatProtocol, random: Random): Buffer[] {
  const result = [...frames]
  for (let change = 0; change <= random(3); change++) {
    const at = random(result.length)
    const kind = random(5)
    if (kind === 0) result.splice(at, 1)
    else if (kind === 1) result.splice(random(result.length), 0, result[at]!)
    else if (kind === 2) result.push(...result.splice(at, 1))
    else result[at] = damagedFrame(result[at]!, protocol, kind === 3, random)
    if (result.length === 0) return [...frames]
  }
  return result
}

function damagedFrame(frame: Buffer, protocol: ChatProtocol, isStructural: boolean, random: Random): Buffer {
  const text = frame.toString()
  const json = isStructural ? /\{.*\}/s.exec(text)?.[0] : undefined
  if (json !== undefined && isJson(json)) {
    const payload = JSON.stringify(damaged(JSON.parse(json), random)) ?? 'null'
    if (isClient(protocol)) return Buffer.from(text.replace(json, () => payload))
    return awsFrame(/:event-type.{3}([a-zA-Z]+)/s.exec(text)?.[1] ?? 'unknown', payload)
  }
  const at = random(frame.length)
  const letter = Buffer.from(LETTERS[random(LETTERS.length)]!)
  return Buffer.concat([frame.subarray(0, at), letter, frame.subarray(Math.min(frame.length, at + random(6)))])
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The value with one member, anywhere in it, replaced by something else. */
function damaged(value: unknown, random: Random): unknown {
  const stray = VALUES[random(VALUES.length)]
  if (value === null || typeof value !== 'object' || random(6) === 0) return stray
  const names = Object.keys(value)
  if (names.length === 0) return stray
  const name = names[random(names.length)]!
  const members = value as Record<string, unknown>
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>
  copy[name] = damaged(members[name], random)
  return copy
}

const EVENT_TYPE = ':event-type'

function awsFrame(type: string, payload: string): Buffer {
  const headers = { ':message-type': 'event', [EVENT_TYPE]: type, ':content-type': 'application/json' }
  return writeAwsMessage(headers, Buffer.from(payload))
}

function fixtureOf(protocol: ChatProtocol): Buffer[] {
  if (protocol === 'bedrock-converse') return CONVERSE.map(([type, payload]) => awsFrame(type, JSON.stringify(payload)))
  const url = new URL(`../../src/codecs/${protocol}/fixtures/stream.sse`, import.meta.url)
  return [...framesOf(protocol, [readFileSync(url)])]
}

const CONVERSE: readonly (readonly [string, unknown])[] = [
  ['messageStart', { role: 'assistant' }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'c2VhbA==' } } }],
  ['contentBlockStop', { contentBlockIndex: 0 }],
  ['contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'so' } }],
  ['contentBlockStop', { contentBlockIndex: 1 }],
  ['contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 't1', name: 'f' } } }],
  ['contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"a":1}' } } }],
  ['contentBlockStop', { contentBlockIndex: 2 }],
  ['messageStop', { stopReason: 'tool_use' }],
  ['metadata', { usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 }, metrics: { latencyMs: 5 } }],
]
