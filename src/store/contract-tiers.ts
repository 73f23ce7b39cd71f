import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccounts } from '#accounts/accounts.ts'
import type { Tiers } from '#accounts/account-tier.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import type { PaymentFact } from '#billing/types.ts'
import { openOrder } from '#billing/payments.ts'
import { ACCESS_MIGRATIONS } from './access-migrations.ts'
import { CONTRACT_PEPPER, newAccount, NOON_MS, openBooks } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'
import { createLimitHistory } from './limit-history.ts'

const USD = 1_000_000_000n

const thresholds = (...steps: [string, bigint | null][]): Tiers => {
  const tiers = new Map(steps.map(([name, minLifetimeNano]) => [name, { minLifetimeNano }]))
  return () => tiers
}

/** Tiers by what was bought (R22). */
export function tierContract(harness: Harness): void {
  const TIERS = thresholds(['free', 0n], ['pro', 10n * USD], ['given', null], ['max', 100n * USD])

  test('R22: the tier is the highest that the purchases reach, at once, and the one that was assigned beats it', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const ring = createKeyRing(store, CONTRACT_PEPPER, { tiers: TIERS })
    const accounts = createAccounts(store, { keyRing: ring, tiers: TIERS })
    const keys = createKeys(store, CONTRACT_PEPPER, ring, () => NOON_MS)
    const account = await accounts.create({ email: 'a@example.org', mode: 'prepaid', actor: 'test' })
    const { plaintext } = await keys.create({ name: 'k', accountId: account.id })
    const seen = async () => {
      const { tier } = (await ring.find(plaintext, NOON_MS)).account
      assert.equal((await accounts.get(account.id))!.tier, tier)
      return tier
    }
    assert.equal(await seen(), 'free')
    const post = (amountNano: bigint, type: 'topup' | 'grant' | 'adjustment' | 'refund') =>
      accounts.credit(account.id, { amountNano, type, actor: 'test' })
    await post(1000n * USD, 'grant')
    await post(1000n * USD, 'adjustment')
    await post(1000n * USD, 'refund')
    assert.equal(await seen(), 'free', 'what was not bought does not count')
    await post(10n * USD - 1n, 'topup')
    assert.equal(await seen(), 'free')
    await post(1n, 'topup')
    assert.equal(await seen(), 'pro')
    await accounts.setTier(account.id, 'given')
    await post(90n * USD, 'topup')
    assert.equal(await seen(), 'given')
    assert.equal((await accounts.setTier(account.id, null)).tierAssigned, false)
    assert.equal(await seen(), 'max')
    await post(-1n, 'refund')
    assert.equal(await seen(), 'pro', 'money that was paid back was not bought in the end')
    await post(-5n * USD, 'adjustment')
    assert.equal(await seen(), 'pro', 'a correction by hand is no refund')
    assert.equal((await accounts.get(account.id))!.purchasedNano, 100n * USD - 1n)
    assert.equal(await createLimitHistory(store).purchased(account.id), 100n * USD - 1n)
  })

  test('R22: without thresholds an account keeps the tier that it began with', async () => {
    await using books = await openBooks(harness)
    const accounts = createAccounts(books.store, { tiers: thresholds(['free', null], ['pro', 10n * USD]) })
    const signedUp = await accounts.create({ email: 'a@e.org', mode: 'prepaid', firstTier: 'free', actor: 'sign-up' })
    const given = await accounts.create({ email: 'b@e.org', mode: 'prepaid', tier: 'pro', actor: 'master' })
    const neither = await accounts.create({ email: 'c@e.org', mode: 'prepaid', actor: 'master' })
    assert.deepEqual([signedUp.tier, given.tier, neither.tier], ['free', 'pro', 'default'])
    assert.deepEqual([signedUp.tierAssigned, given.tierAssigned], [false, true])
  })

  purchaseContract(harness)
}

function purchaseContract(harness: Harness): void {
  test('R22: a refund, a dispute and its end count against what was bought, however they come', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const tell = payer(books, account.id)
    const bought = async () => (await books.accounts.get(account.id))!.purchasedNano
    await tell({ kind: 'paid', amountNano: 20n * USD, channelRef: 'cs', paymentRef: 'pi', customerRef: null })
    assert.equal(await bought(), 20n * USD)
    await tell({ kind: 'refunded', totalNano: 5n * USD })
    assert.equal(await bought(), 15n * USD)
    await tell({ kind: 'disputed', status: 'open', amountNano: 15n * USD })
    assert.equal(await bought(), 0n, 'a chargeback takes the tier')
    await tell({ kind: 'disputed', status: 'won', amountNano: 15n * USD })
    assert.equal(await bought(), 15n * USD)
  })

  test('R22: an older database learns what its accounts bought from their entries', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 3n * USD)
    const bare = await newAccount(books, 0n)
    const tell = payer(books, account.id)
    await books.accounts.credit(account.id, { amountNano: 7n * USD, actor: 'test' })
    await tell({ kind: 'paid', amountNano: 20n * USD, channelRef: 'cs', paymentRef: 'pi', customerRef: null })
    await tell({ kind: 'disputed', status: 'lost', amountNano: 8n * USD })
    await books.accounts.credit(account.id, { amountNano: -USD, type: 'adjustment', actor: 'test' })
    const sums = async () =>
      Promise.all([account, bare].map(async ({ id }) => (await books.accounts.get(id))!.purchasedNano))
    const before = await sums()
    assert.deepEqual(before, [19n * USD, 0n])
    await harness.tamper(books.store, 'update accounts set purchased_nano = 1')
    const text = ACCESS_MIGRATIONS[0]!.statements(harness.engine).find((sql) => sql.includes('set purchased_nano'))!
    await harness.tamper(books.store, text)
    assert.deepEqual(await sums(), before)
  })
}

/** Tells the facts of one order, each as an event of its own. */
function payer({ store }: Books, accountId: string): (fact: PaymentFact) => Promise<unknown> {
  let events = 0
  let orderId: string | undefined
  return async (fact) => {
    orderId ??= (await openOrder(store, 'stripe', 'checkout', accountId, 20n * USD, 'USD', NOON_MS))!.id
    const event = { channel: 'stripe', eventId: `evt_${++events}`, type: fact.kind, orderId, accountId, fact }
    return store.execute('applyPayment', { ...event, nowMs: NOON_MS })
  }
}
