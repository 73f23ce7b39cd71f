import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { createAccounts } from '#accounts/accounts.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { newKeyText } from '#accounts/key-text.ts'
import { createKeys } from '#accounts/keys.ts'
import type { KeyRing, Keys } from '#accounts/types.ts'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { EVEN_ANSWER_MS } from '#sessions/even-answers.ts'
import { createSessions } from '#sessions/sessions.ts'
import type { AuthAnswer, Sessions } from '#sessions/types.ts'
import { openStore, type Store } from '#store/store.ts'
import { startTestGateway } from '#test/e2e/gateway.ts'
import { compare, interleaved, median } from './timing-statistics.ts'

/**
 * S12: nobody learns by the clock whether a key, or somebody with an address, is known. Kinds are tried in a seeded order, and
 * compared by their medians and by a rank test; TRIVIUM_FAULTS=full tries 1e5 keys.
 */

const isFull = process.env['TRIVIUM_FAULTS'] === 'full'
const SEED = Number(process.env['TRIVIUM_SEED'] ?? 12)
/** Chance alone is beyond it once in a thousand comparisons. */
const Z_MAX = 3.29
/** Less than anybody sees from outside. */
const TOLERATED_US = 1
/** A comparison that fails by chance does not fail again. */
const ROUNDS_MAX = 3

interface Kind {
  readonly name: string
  /** What is tried next; made outside of the time that is taken. */
  next(): string
}

type Asking = (text: string) => Promise<unknown>

/** Milliseconds of each kind, in an order that is mixed anew for every round of all kinds. */
async function timesOf(kinds: readonly Kind[], ask: Asking, rounds: number, seed: number): Promise<number[][]> {
  const times = kinds.map((): number[] => [])
  for (const at of interleaved(kinds.length, rounds, seed)) {
    // Whatever is asked, the same was done just before, so that no kind finds the machine warmer; as from a socket, the text is new.
    const text = Buffer.from(kinds.map((kind) => kind.next())[at]!).toString()
    // Timers count from the beginning of a turn of the event loop: making a text in the same turn would shorten them.
    await turnOfLoop()
    const begun = performance.now()
    await ask(text)
    times[at]!.push(performance.now() - begun)
  }
  return times
}

/** Every kind against the first one: a difference that is there shows in every round, and always to the same side. */
async function assertAlike(kinds: readonly Kind[], ask: Asking, rounds: number): Promise<string> {
  const told: string[] = []
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const times = await timesOf(kinds, ask, rounds, SEED + round)
    const odd = kinds.slice(1).flatMap(({ name }, at) => {
      const { medianDifference, z } = compare(times[at + 1]!, times[0]!)
      const differenceUs = medianDifference * 1000
      told.push(
        `${name}: median ${differenceUs.toFixed(2)} us of ${(median(times[0]!) * 1000).toFixed(1)}, z ${z.toFixed(2)}`,
      )
      return Math.abs(z) <= Z_MAX || Math.abs(differenceUs) < TOLERATED_US ? [] : [name]
    })
    if (odd.length === 0) return told.join('; ')
  }
  return assert.fail(`differs from ${kinds[0]!.name}: ${told.join('; ')}`)
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const PREFIX_LENGTH = 30

/** Begins like a key that exists, and its checksum holds. */
function besides(known: string): string {
  const body = known.slice(0, PREFIX_LENGTH) + newKeyText().slice(PREFIX_LENGTH, -6)
  let sum = ''
  for (let rest = crc32(body), at = 0; at < 6; at++, rest = Math.floor(rest / 62)) sum = LETTERS[rest % 62]! + sum
  return body + sum
}

describe('S12: keys', () => {
  const OWNED = 100
  let folder: string
  let store: Store
  let ring: KeyRing
  let keys: Keys
  const active: string[] = []
  const revoked: string[] = []
  const rotated: string[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trivium-timing-'))
    store = await openStore({ kind: 'sqlite', file: join(folder, 'test.db') })
    ring = createKeyRing(store, 'pepper')
    keys = createKeys(store, 'pepper', ring)
    const account = await createAccounts(store).create({ email: 'a@e.org', mode: 'prepaid', actor: 'test' })
    const make = () => keys.create({ name: 'k', accountId: account.id })
    for (let at = 0; at < OWNED; at++) {
      const [one, two, three] = [await make(), await make(), await make()]
      active.push(one.plaintext)
      revoked.push(two.plaintext)
      await keys.remove(two.key.hash)
      rotated.push(three.plaintext)
      await keys.rotate(three.key.hash, Date.now() - 1)
    }
  })
  after(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  let turn = 0
  const one = (texts: readonly string[]) => texts[turn++ % texts.length]!
  const kinds: Kind[] = [
    { name: 'unknown', next: newKeyText },
    { name: 'known prefix', next: () => besides(one(active)) },
    { name: 'revoked', next: () => one(revoked) },
    { name: 'rotated away', next: () => one(rotated) },
  ]

  const find = async (key: string): Promise<void> => {
    try {
      await ring.find(key, Date.now())
    } catch {
      return
    }
    assert.fail('a key that works')
  }

  test('S12: an unknown, a similar, a revoked and a rotated key take the same time in the server', async (context) => {
    await timesOf(kinds, find, 30, 1)
    context.diagnostic(await assertAlike(kinds, find, isFull ? 25_000 : 300))
  })

  test('S12: and over the socket, on both planes', async (context) => {
    await using gateway = await startTestGateway()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const made = await Promise.all(Array.from({ length: 20 }, () => gateway.fund()))
    const [gone, kept] = [made.slice(0, 10), made.slice(10)]
    for (const { hash } of gone) await gateway.admin('DELETE', `/api/v1/keys/${hash}`)
    for (const [method, path] of [
      ['POST', '/v1/chat/completions'],
      ['GET', '/v1/me'],
    ] as const) {
      const ask = (key: string) =>
        new Promise<void>((resolve, reject) => {
          const headers = { authorization: `Bearer ${key}`, 'content-length': '0' }
          const sent = (method === 'GET' ? get : request)(gateway.url + path, { method, agent, headers })
          sent.on('response', (response) => {
            assert.equal(response.statusCode, 401)
            response.resume().on('end', resolve)
          })
          sent.on('error', reject).end()
        })
      const tried: Kind[] = [
        { name: 'unknown', next: newKeyText },
        { name: 'known prefix', next: () => besides(one(kept.map(({ key }) => key))) },
        { name: 'revoked', next: () => one(gone.map(({ key }) => key)) },
      ]
      await timesOf(tried, ask, 30, 1)
      context.diagnostic(`${path}: ${await assertAlike(tried, ask, isFull ? 5000 : 100)}`)
    }
    agent.destroy()
  })
})

describe('S12: people', () => {
  let folder: string
  let store: Store
  let sessions: Sessions
  let nowMs = Date.now()
  const mails: (() => void)[] = []
  const ORIGIN = 'http://127.0.0.1:8000'

  const post = (path: string, body: object): Promise<AuthAnswer> => {
    nowMs += ATTEMPT_WINDOW_MS
    return sessions.answer({
      method: 'POST',
      url: `/api/auth${path}`,
      ip: '127.0.0.1',
      headers: { 'content-type': 'application/json', origin: ORIGIN },
      body: JSON.stringify(body),
    })
  }
  const password = 'correct horse battery'
  const KNOWN = 4

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trivium-timing-'))
    store = await openStore({ kind: 'sqlite', file: join(folder, 'test.db') })
    sessions = createSessions({
      store,
      accounts: createAccounts(store),
      pepper: 'pepper',
      billing: 'prepaid',
      settings: { signUp: 'open', loginProviders: [], smtpUrl: null, mailFrom: '', sessionSecret: null },
      baseUrl: () => ORIGIN,
      log: () => {},
      now: () => nowMs,
      // A mail server that takes its time, until the test is over.
      sendMail: () => new Promise((resolve) => mails.push(resolve)),
    })
    const people = Array.from({ length: KNOWN }, (_, at) => ({ name: 'a', email: `known${at}@example.org`, password }))
    await Promise.all(people.map((one) => post('/sign-up/email', one)))
  })
  after(async () => {
    for (const finish of mails) finish()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Unknown first. The answers are the same text, or there would be nothing to measure. */
  const asking =
    (path: string, body: (email: string) => object): Asking =>
    async (email) => {
      const { status, body: text } = await post(path, body(email))
      answers.add(`${path} ${status} ${text.replace(/"(id|email|createdAt|updatedAt)":"[^"]*"/g, '')}`)
    }
  const answers = new Set<string>()
  let turn = 0
  const kinds: Kind[] = [
    { name: 'unknown', next: () => `nobody${turn++}@example.org` },
    { name: 'known', next: () => `known${turn++ % KNOWN}@example.org` },
  ]

  test('S12: a wrong password takes the same time whether there is somebody or not', async (context) => {
    const ask = asking('/sign-in/email', (email) => ({ email, password: 'wrong password' }))
    await timesOf(kinds, ask, 1, 1)
    context.diagnostic(await assertAlike(kinds, ask, isFull ? 400 : 3))
    assert.equal(answers.size, 1, [...answers].join('\n'))
  })

  test('S12: so does the wish for a new password and a sign-up, however long their mails take', async (context) => {
    const tries: [string, (email: string) => object, number][] = [
      ['/request-password-reset', (email) => ({ email }), 4],
      ['/sign-up/email', (email) => ({ name: 'a', email, password }), 0],
    ]
    for (const [path, body, rounds] of tries) {
      answers.clear()
      const sent = mails.length
      const ask = asking(path, body)
      if (isFull || rounds > 0) {
        context.diagnostic(`${path}: ${await assertAlike(kinds, ask, isFull ? 100 : rounds)}`)
      }
      const [[unknown], [known]] = (await timesOf(kinds, ask, 1, 1)) as [[number], [number]]
      const even = EVEN_ANSWER_MS.get(`/api/auth${path}`)!
      assert.ok(unknown >= even - 2 && known >= even - 2, `${path}: ${unknown} and ${known} ms`)
      assert.ok(mails.length > sent, `${path} sends a mail to those who are known`)
      assert.equal(answers.size, 1, [...answers].join('\n'))
    }
  })
})

test('the statistics tell a shift from noise', () => {
  const samples = (shift: number, seed: number): number[] =>
    [...interleaved(1000, 4, seed)].map((value) => ((value * 7919) % 1009) / 10 + shift)
  const same = compare(samples(0, 1), samples(0, 2))
  assert.ok(Math.abs(same.z) < 0.5 && Math.abs(same.medianDifference) < 0.001, JSON.stringify(same))
  const other = compare(samples(5, 1), samples(0, 2))
  assert.ok(other.z > Z_MAX && Math.abs(other.medianDifference - 5) < 0.001, JSON.stringify(other))
})
