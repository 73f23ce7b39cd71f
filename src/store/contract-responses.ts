import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { CHAIN_LENGTH_MAX } from '#response-state/chain.ts'
import { SWEEP_ROWS_MAX } from '#response-state/commands.ts'
import {
  createResponseState,
  RESPONSE_BYTES_MAX,
  RETENTION_DAYS,
  SAVES_WAITING_BYTES_MAX,
  TRANSCRIPT_BYTES_MAX,
} from '#response-state/response-state.ts'
import type { NewResponse, ResponseState } from '#response-state/types.ts'
import { NOON_MS, openBooks } from './contract-books.ts'
import type { Harness } from './contract-books.ts'

const RETENTION_MS = RETENTION_DAYS * 86_400_000

/** Response state on an empty database, with a clock that a test may move. */
async function openResponses(harness: Harness) {
  const books = await openBooks(harness)
  const responses = createResponseState(books.store, { now: () => books.clock.nowMs })
  return { ...books, responses, [Symbol.asyncDispose]: () => books.store.close() }
}

const said = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] })
/** With the id that the codec gives to the first item of an answer. */
const told = (text: string) => ({
  id: `msg_${text.slice(1)}_0`,
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

/** A turn in which `q` was asked and `a` was answered; every test names only what matters to it. */
function turn(id: string, change: Partial<NewResponse> = {}): NewResponse {
  return {
    id: `resp_${id}`,
    accountId: 'acc_1',
    createdAtMs: NOON_MS,
    previousId: null,
    model: 'model-1',
    backendId: 'main',
    input: [said(`q${id}`)],
    response: JSON.stringify({ id: `resp_${id}`, object: 'response', output: [told(`a${id}`)] }),
    ...change,
  }
}

/** Saves a chain of turns 1 to `length`, all at once: nothing checks what a response builds on. */
async function saveChain(responses: ResponseState, length: number): Promise<void> {
  const numbers = Array.from({ length }, (_, at) => at + 1)
  const saved = await Promise.all(
    numbers.map((at) => responses.save(turn(String(at), { previousId: at === 1 ? null : `resp_${at - 1}` }))),
  )
  assert.deepEqual(new Set(saved), new Set(['stored']))
}

/** A response object that makes its turn, with an empty input, exactly so long. */
function responseOf(bytes: number): string {
  const empty = JSON.stringify({ output: [], pad: '' })
  return JSON.stringify({ output: [], pad: 'x'.repeat(bytes - empty.length - '[]'.length) })
}

const tooLong = (thrown: unknown) => (thrown as GatewayError).code === 'context_length_exceeded'

export function responseContract(harness: Harness): void {
  readContract(harness)
  isolationContract(harness)
  referenceContract(harness)
  boundContract(harness)
  sweepContract(harness)
}

function readContract(harness: Harness): void {
  test('a response reads back as it was saved, also by the next process', async () => {
    await using books = await openResponses(harness)
    const numbers =
      '{"type":"function_call_output","call_id":"c","output":"Größe \\u0000 \\ud800","n":12345678901234567890}'
    const response = '{"id":"resp_1", "output":[ ],"big":12345678901234567890}'
    const record = turn('1', { backendId: null, input: [parseFaithfulJson(numbers), said('b')], response })
    assert.equal(await books.responses.save(record), 'stored')
    await books.store.close()
    const again = await books.again()
    try {
      const responses = createResponseState(again, { now: () => NOON_MS })
      const { input, ...answer } = record
      const expected = { ...answer, expiresAtMs: NOON_MS + RETENTION_MS }
      assert.deepEqual(await responses.find('acc_1', 'resp_1'), expected)
      const loaded = (await responses.load('acc_1', 'resp_1'))!
      assert.equal(JSON.stringify(loaded.input), JSON.stringify(input))
      assert.equal(JSON.stringify(loaded.transcript), JSON.stringify(input))
      assert.deepEqual({ ...loaded, input: 0, transcript: 0 }, { ...expected, input: 0, transcript: 0 })
    } finally {
      await again.close()
    }
  })

  test('the transcript is every turn in its order, with what was answered', async () => {
    await using books = await openResponses(harness)
    await saveChain(books.responses, 3)
    assert.equal(await books.responses.save(turn('other', { previousId: 'resp_2', input: 'plain' })), 'stored')
    const loaded = (await books.responses.load('acc_1', 'resp_3'))!
    const expected = [said('q1'), told('a1'), said('q2'), told('a2'), said('q3'), told('a3')]
    assert.deepEqual(loaded.transcript, expected)
    assert.deepEqual([loaded.input, loaded.previousId], [[said('q3')], 'resp_2'])
    const branch = (await books.responses.load('acc_1', 'resp_other'))!
    assert.deepEqual(branch.transcript, [...expected.slice(0, 4), said('plain'), told('aother')])
  })

  test('the input of a response is all that its model was given, each item with an id', async () => {
    await using books = await openResponses(harness)
    await saveChain(books.responses, 2)
    const completed = (text: string, id: string) => ({ ...said(text), id, status: 'completed' })
    const expected = [completed('q1', 'msg_1_1000000'), told('a1'), completed('q2', 'msg_2_1000000')]
    assert.deepEqual(await books.responses.listInput('acc_1', 'resp_2'), expected)
    await books.responses.remove('acc_1', 'resp_1')
    assert.deepEqual(await books.responses.listInput('acc_1', 'resp_2'), expected.slice(2))
    assert.equal(await books.responses.listInput('acc_1', 'resp_1'), null)
  })

  test('a removed response is unknown, and so is the conversation that needs it', async () => {
    await using books = await openResponses(harness)
    await saveChain(books.responses, 3)
    assert.equal(await books.responses.remove('acc_1', 'resp_2'), true)
    assert.equal(await books.responses.remove('acc_1', 'resp_2'), false)
    assert.equal(await books.responses.find('acc_1', 'resp_2'), null)
    assert.equal(await books.responses.load('acc_1', 'resp_2'), null)
    assert.equal(await books.responses.load('acc_1', 'resp_3'), null)
    assert.equal((await books.responses.find('acc_1', 'resp_3'))!.id, 'resp_3')
    assert.equal((await books.responses.load('acc_1', 'resp_1'))!.transcript.length, 2)
  })

  test('an id that is saved twice keeps the first response', async () => {
    await using books = await openResponses(harness)
    await books.responses.save(turn('1'))
    assert.equal(await books.responses.save(turn('1', { model: 'model-2' })), 'stored')
    assert.equal((await books.responses.find('acc_1', 'resp_1'))!.model, 'model-1')
  })
}

function isolationContract(harness: Harness): void {
  test("another account's response is as unknown as a missing one", async () => {
    await using books = await openResponses(harness)
    const { responses } = books
    await responses.save(turn('1'))
    for (const id of ['resp_1', 'resp_none']) {
      assert.equal(await responses.find('acc_2', id), null)
      assert.equal(await responses.load('acc_2', id), null)
      assert.equal(await responses.listInput('acc_2', id), null)
      assert.equal(await responses.remove('acc_2', id), false)
    }
    // Even a row that names it does not lead to it.
    await responses.save(turn('2', { accountId: 'acc_2', previousId: 'resp_1' }))
    assert.equal(await responses.load('acc_2', 'resp_2'), null)
    assert.deepEqual(
      (await responses.listInput('acc_2', 'resp_2'))!.map((item) => (item as { id: string }).id),
      ['msg_2_1000000'],
    )
    await responses.save(turn('1', { accountId: 'acc_2', model: 'theirs' }))
    const models = ['acc_1', 'acc_2'].map(async (id) => (await responses.find(id, 'resp_1'))!.model)
    assert.deepEqual(await Promise.all(models), ['model-1', 'theirs'])
  })

  test('what is no id of ours is unknown and never reaches the database', async () => {
    await using books = await openResponses(harness)
    for (const id of ['', 'resp_', 'resp_\u0000', 'chatcmpl-1', `resp_${'x'.repeat(81)}`, "resp_' or 1=1 --"]) {
      assert.equal(await books.responses.find('acc_1', id), null)
      assert.equal(await books.responses.load('acc_1', id), null)
      assert.equal(await books.responses.listInput('acc_1', id), null)
      assert.equal(await books.responses.remove('acc_1', id), false)
    }
    await assert.rejects(books.responses.save(turn('', {})), TypeError)
  })
}

function referenceContract(harness: Harness): void {
  test('items of earlier answers are found by their ids, within the account and the time', async () => {
    await using books = await openResponses(harness)
    const { responses, clock } = books
    await saveChain(responses, 2)
    const ids = [
      'msg_2_0',
      'msg_1_0',
      'msg_2_0',
      'msg_2_1',
      'msg_9_0',
      'msg_1_1000000',
      'msg_theirs',
      '',
      '_',
      'msg_\u0000_0',
    ]
    const found = await responses.findItems('acc_1', ids)
    assert.deepEqual(Object.fromEntries(found), { msg_1_0: told('a1'), msg_2_0: told('a2') })
    assert.equal((await responses.findItems('acc_2', ids)).size, 0)
    assert.equal((await responses.findItems('acc_1', [])).size, 0)
    clock.nowMs += RETENTION_MS
    assert.equal((await responses.findItems('acc_1', ids)).size, 0)
  })

  test('references reach as far as a conversation may', async () => {
    await using books = await openResponses(harness)
    const { responses } = books
    const ids = Array.from({ length: CHAIN_LENGTH_MAX }, (_, at) => `msg_${at}_0`)
    await responses.save(turn('0'))
    assert.equal((await responses.findItems('acc_1', ids)).size, 1)
    await assert.rejects(responses.findItems('acc_1', [...ids, 'msg_more_0']), tooLong)
    const numbers = Array.from({ length: TRANSCRIPT_BYTES_MAX / RESPONSE_BYTES_MAX }, (_, at) => at + 1)
    const response = responseOf(RESPONSE_BYTES_MAX)
    for (const at of numbers) assert.equal(await responses.save(turn(String(at), { input: [], response })), 'stored')
    const large = numbers.map((at) => `msg_${at}_0`)
    assert.equal((await responses.findItems('acc_1', large)).size, 0)
    await assert.rejects(responses.findItems('acc_1', [...large, 'msg_0_0']), tooLong)
  })
}

function boundContract(harness: Harness): void {
  test(`a conversation of ${CHAIN_LENGTH_MAX} responses can be continued, a longer one only be read`, async () => {
    await using books = await openResponses(harness)
    await saveChain(books.responses, CHAIN_LENGTH_MAX + 1)
    const longest = (await books.responses.load('acc_1', `resp_${CHAIN_LENGTH_MAX}`))!
    assert.equal(longest.transcript.length, 2 * CHAIN_LENGTH_MAX)
    assert.deepEqual(longest.transcript.at(-1), told(`a${CHAIN_LENGTH_MAX}`))
    const beyond = `resp_${CHAIN_LENGTH_MAX + 1}`
    await assert.rejects(books.responses.load('acc_1', beyond), tooLong)
    assert.equal((await books.responses.find('acc_1', beyond))!.id, beyond)
    assert.equal((await books.responses.listInput('acc_1', beyond))!.length, 2 * CHAIN_LENGTH_MAX + 1)
  })

  test('a response is stored up to its bound, and so is what waits and what is replayed', async () => {
    await using books = await openResponses(harness)
    const { responses } = books
    const count = SAVES_WAITING_BYTES_MAX / RESPONSE_BYTES_MAX
    assert.equal(TRANSCRIPT_BYTES_MAX / RESPONSE_BYTES_MAX, count)
    const largest = (at: number) => ({
      input: [],
      response: responseOf(RESPONSE_BYTES_MAX),
      previousId: at === 1 ? null : `resp_${at - 1}`,
    })
    const numbers = Array.from({ length: count }, (_, at) => at + 1)
    const saves = numbers.map((at) => responses.save(turn(String(at), largest(at))))
    const last = { previousId: `resp_${count}` }
    const refused = responses.save(turn('refused', last))
    assert.deepEqual(await Promise.all(saves), Array(count).fill('stored'))
    assert.equal(await refused, 'busy')
    assert.equal(await responses.save(turn('after', last)), 'stored')
    assert.deepEqual((await responses.load('acc_1', `resp_${count}`))!.transcript, [])
    await assert.rejects(responses.load('acc_1', 'resp_after'), tooLong)
    assert.equal((await responses.listInput('acc_1', 'resp_after'))!.length, 1)
    const over = turn('over', { input: [], response: responseOf(RESPONSE_BYTES_MAX + 1) })
    assert.equal(await responses.save(over), 'too_large')
    assert.equal(await responses.find('acc_1', 'resp_over'), null)
  })

  test('a conversation that takes several reads comes in its order', async () => {
    await using books = await openResponses(harness)
    const { responses } = books
    const letters = ['a', 'b', 'c', 'd', 'e', 'f']
    const sizes = [3, 0, 1, 5, 2, 2].map((mib) => mib * 1024 * 1024 + 1)
    for (const [at, letter] of letters.entries()) {
      const input = [letter.repeat(sizes[at]!)]
      const previousId = at === 0 ? null : `resp_${letters[at - 1]}`
      assert.equal(await responses.save(turn(letter, { input, response: '{}', previousId })), 'stored')
    }
    const { transcript } = (await responses.load('acc_1', 'resp_f'))!
    assert.deepEqual(
      (transcript as string[]).map((text) => [text[0], text.length]),
      letters.map((letter, at) => [letter, sizes[at]]),
    )
  })

  test('the bound of a response counts bytes of both parts, not characters', async () => {
    await using books = await openResponses(harness)
    const { responses } = books
    const wide = (characters: number) => turn('wide', { input: ['ü'.repeat(characters)], response: '{}' })
    const frame = Buffer.byteLength('[""]{}')
    assert.equal(await responses.save(wide((RESPONSE_BYTES_MAX - frame) / 2 + 1)), 'too_large')
    assert.equal(await responses.save(wide((RESPONSE_BYTES_MAX - frame) / 2)), 'stored')
    const long = 'x'.repeat(RESPONSE_BYTES_MAX)
    assert.equal(await responses.save(turn('long', { input: long, response: '{}' })), 'too_large')
  })
}

function sweepContract(harness: Harness): void {
  test('a response is unknown from the moment it expires, and a sweep deletes it', async () => {
    await using books = await openResponses(harness)
    const { responses, clock } = books
    await responses.save(turn('1'))
    await responses.save(turn('2', { createdAtMs: NOON_MS + 1 }))
    clock.nowMs = NOON_MS + RETENTION_MS - 1
    assert.equal((await responses.find('acc_1', 'resp_1'))!.id, 'resp_1')
    assert.equal(await responses.sweep(clock.nowMs), 0)
    clock.nowMs++
    assert.equal(await responses.find('acc_1', 'resp_1'), null)
    assert.equal(await responses.load('acc_1', 'resp_1'), null)
    assert.equal(await responses.listInput('acc_1', 'resp_1'), null)
    assert.equal(await responses.sweep(clock.nowMs), 1)
    assert.equal(await responses.remove('acc_1', 'resp_1'), false)
    assert.equal((await responses.load('acc_1', 'resp_2'))!.id, 'resp_2')
  })

  test('what a living response builds on stays until that one has expired too', async () => {
    await using books = await openResponses(harness)
    const { responses, clock } = books
    await saveChain(responses, 3)
    await responses.save(turn('alone'))
    // A row of another account that names one of them keeps nothing alive.
    const late = { createdAtMs: NOON_MS + 5 }
    await responses.save(turn('foreign', { ...late, accountId: 'acc_2', previousId: 'resp_alone' }))
    await responses.save(turn('4', { ...late, previousId: 'resp_3' }))
    clock.nowMs = NOON_MS + RETENTION_MS
    assert.equal(await responses.sweep(clock.nowMs), 1)
    assert.equal((await responses.load('acc_1', 'resp_4'))!.transcript.length, 8)
    assert.equal(await responses.load('acc_1', 'resp_3'), null)
    assert.equal(await responses.sweep(NOON_MS + RETENTION_MS + 5), 5)
    assert.deepEqual(await books.store.read.selectFrom('responses').select('id').execute(), [])
  })

  test('one sweep deletes more than fits into one command', async () => {
    await using books = await openResponses(harness)
    const count = 2 * SWEEP_ROWS_MAX + 1
    await Promise.all(Array.from({ length: count }, (_, at) => books.responses.save(turn(String(at)))))
    assert.equal(await books.responses.sweep(NOON_MS + RETENTION_MS), count)
  })
}
