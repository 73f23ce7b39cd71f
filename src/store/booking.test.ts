import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Booking, decodeBookings, encodeBooking, joinBookings } from './booking.ts'
import { sampleRow } from './contract-books.ts'
import { factsOf, flatten } from './request-columns.ts'

const row = sampleRow({ request_id: 'req_1', charged_cost_nano: 2n ** 60n, key_name: 'tab\there' })
const rest = ['req_1', 'acc', null, 2n ** 60n, -5n, 4, 3, 2, 1] as const
const booking: Booking = [flatten(row), ...rest, 'b1,b2', factsOf(row)]

test('bookings come back from their line as they were', () => {
  const plain: Booking = [flatten(sampleRow({ request_id: 'req_2' })), ...rest, null, undefined]
  const line = joinBookings([booking, plain].map(encodeBooking))
  assert.ok(!line.includes('\n'))
  assert.deepEqual(decodeBookings(line), [booking, plain])
})

test('a booking says what its row does not: another account, no key, another amount', () => {
  const flat = flatten(sampleRow({ request_id: 'req_1', account_id: 'acc', key_id: null, charged_cost_nano: 7n }))
  const own: Booking = [flat, 'req_1', 'acc', null, 7n, 2n ** 53n, 4, 3, 2, 1, null, undefined]
  const others = [[1, 'req_9'] as const, [2, 'bcc'] as const, [3, 'key'] as const, [4, 8n] as const]
  for (const [at, value] of others) {
    const booking = own.with(at, value) as unknown as Booking
    assert.deepEqual(decodeBookings(encodeBooking(booking)), [booking])
    assert.ok(encodeBooking(booking).length > encodeBooking(own).length)
  }
  assert.deepEqual(decodeBookings(encodeBooking(own)), [own])
})

test('amounts come back exactly, beyond what a number can say too', () => {
  const edges = [0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 10n ** 18n]
  for (const amount of [...edges, ...edges.map((edge) => -edge)]) {
    const flat = flatten(sampleRow({ request_id: 'req_1', charged_cost_nano: amount, list_cost_nano: null }))
    const booking: Booking = [flat, 'req_1', 'acc', null, amount, amount, 4, 3, 2, 1, null, undefined]
    assert.deepEqual(decodeBookings(encodeBooking(booking)), [booking])
  }
})

test('periods come back on both sides of midnight', () => {
  const periods = [4, 3, 2, 1] as const
  const later = [9, 8, 7, 6] as const
  const [one, other] = [periods, later].map((times): Booking => {
    const [nowMs, day, week, month] = times
    return [flatten(row), 'req_1', 'acc', null, 1n, 1n, nowMs, day, week, month, null, undefined]
  }) as [Booking, Booking]
  const line = joinBookings([one, other, one].map(encodeBooking))
  assert.deepEqual(decodeBookings(line), [one, other, one])
})

test('what older versions journaled is read: amounts as digits, and in the oldest no facts', () => {
  const [flat, requestId, accountId, keyId, charged, balance, ...times] = booking
  const cells = flat.slice(0, -1).map((cell) => (typeof cell === 'bigint' ? cell.toString() : cell))
  const head = [cells, requestId, accountId, keyId, String(charged), String(balance), ...times]
  const detail = flat.at(-1) as string
  assert.deepEqual(decodeBookings(`${JSON.stringify(head)}\t${detail}`), [booking])
  const oldest = JSON.stringify(head.slice(0, -1))
  assert.deepEqual(decodeBookings(`${oldest}\t${detail}`), [[...booking.slice(0, -1), undefined]])
})
