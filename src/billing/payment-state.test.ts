import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PaymentOrderTable } from '#store/billing-schema.ts'
import { fromMinorUnits, minorUnits } from './minor-units.ts'
import { applyFact } from './payment-state.ts'
import type { PaymentFact } from './types.ts'

const ORDER: PaymentOrderTable = {
  id: 'ord_1',
  account_id: 'acc_1',
  channel: 'stripe',
  kind: 'checkout',
  status: 'pending',
  asked_nano: 100n,
  currency: 'USD',
  channel_ref: 'cs_1',
  payment_ref: null,
  paid_nano: 0n,
  refunded_nano: 0n,
  disputed_nano: 0n,
  dispute_status: null,
  refund_booked_nano: 0n,
  dispute_booked_nano: 0n,
  created_ms: 1,
  updated_ms: 1,
  paid_ms: null,
}

const PAID: PaymentFact = {
  kind: 'paid',
  amountNano: 100n,
  channelRef: 'cs_1',
  paymentRef: 'pi_1',
  customerRef: null,
}
const refunded = (totalNano: bigint): PaymentFact => ({ kind: 'refunded', totalNano })
const disputed = (status: 'open' | 'won' | 'lost', amountNano = 50n): PaymentFact => ({
  kind: 'disputed',
  amountNano,
  status,
})

function bookedBy(facts: readonly PaymentFact[]): { sumNano: bigint; topups: number; lowestNano: bigint } {
  let order = ORDER
  let sumNano = 0n
  let topups = 0
  let lowestNano = 0n
  for (const fact of facts) {
    const after = applyFact(order, fact, 2)
    order = after.order
    for (const { type, amountNano } of after.postings) {
      assert.notEqual(amountNano, 0n)
      sumNano += amountNano
      if (type === 'topup') topups++
      if (sumNano < lowestNano) lowestNano = sumNano
    }
  }
  return { sumNano, topups, lowestNano }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, at) =>
    permutations([...items.slice(0, at), ...items.slice(at + 1)]).map((rest) => [item, ...rest]),
  )
}

for (const [name, facts, sumNano] of [
  ['a payment', [PAID, PAID, PAID], 100n],
  ['refunds in two parts', [PAID, refunded(30n), refunded(70n), PAID], 30n],
  ['a refund of more than was paid', [PAID, refunded(900n)], 0n],
  ['a dispute that is lost', [PAID, disputed('open'), disputed('lost')], 50n],
  ['a dispute that is won', [PAID, disputed('open'), disputed('won')], 100n],
  ['a refund and a dispute', [PAID, refunded(80n), disputed('open'), disputed('lost')], 0n],
  ['a checkout that fails and is paid after all', [{ kind: 'ended', status: 'failed' }, PAID], 100n],
  ['nothing but a refund', [refunded(100n)], 0n],
] as const satisfies readonly (readonly [string, readonly PaymentFact[], bigint])[]) {
  test(`M11: ${name} comes to the same sum in every order of its events`, () => {
    for (const order of permutations<PaymentFact>(facts)) {
      const { sumNano: found, topups, lowestNano } = bookedBy(order)
      assert.equal(found, sumNano)
      assert.equal(topups, facts.some(({ kind }) => kind === 'paid') ? 1 : 0)
      assert.ok(lowestNano >= 0n, 'a payment alone never takes more than it gave')
    }
  })
}

test('R95: the amount of the event counts, not the one that was asked for', () => {
  assert.equal(bookedBy([{ ...PAID, amountNano: 7n }]).sumNano, 7n)
})

test('R95: amounts are exact in the smallest coin of their currency', () => {
  assert.equal(minorUnits(10_500_000_000n, 'USD'), 1050)
  assert.equal(minorUnits(1_000_000_000n, 'JPY'), 1)
  assert.equal(minorUnits(1_000_000_000n, 'KWD'), 1000)
  assert.equal(minorUnits(1_000_000n, 'USD'), undefined)
  assert.equal(minorUnits(500_000_000n, 'JPY'), undefined)
  assert.equal(fromMinorUnits(1050, 'USD'), 10_500_000_000n)
  for (const odd of [-1, 1.5, '10', null, Number.NaN, 2 ** 53]) assert.equal(fromMinorUnits(odd, 'USD'), undefined)
})
