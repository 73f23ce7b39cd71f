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

test('what an older version journaled has no facts', () => {
  const [head, detail] = encodeBooking(booking).split('\t')
  const older = JSON.stringify((JSON.parse(head!) as unknown[]).slice(0, -1))
  assert.deepEqual(decodeBookings(`${older}\t${detail}`), [[...booking.slice(0, -1), undefined]])
})
