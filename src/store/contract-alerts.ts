import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { createBilling } from '#billing/billing.ts'
import { Outbound } from '#outbound/outbound.ts'
import { ask, CONTRACT_PEPPER, newAccount, newKey, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Harness } from './contract-books.ts'

export function alertContract(harness: Harness): void {
  test('R98: whoever looks and sends at the same time, each threshold is raised and sent once', async () => {
    await using books = await openBooks(harness)
    const { store, clock, ledger } = books
    const mails: string[] = []
    const nodes = Array.from({ length: 3 }, () =>
      createBilling(store, {
        pepper: CONTRACT_PEPPER,
        currency: 'USD',
        signupBonusNano: 0n,
        provider: null,
        operatorAccountId: OPERATOR_ACCOUNT_ID,
        outbound: new Outbound({ allowPrivate: () => [] }),
        sendMail: async ({ to, text }) => void mails.push(`${to} ${/threshold: \d+|below: [\d.]+/.exec(text)?.[0]}`),
        now: () => clock.nowMs,
      }),
    )
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account, { limitNano: 100n, limitReset: 'daily' })
    const settings = { thresholds: [50, 100], balanceBelowNano: ONE_CENT, webhookUrl: null, email: 'a@example.org' }
    await nodes[0]!.alerts.change(account.id, settings, false)
    await ask(books, 'req_1', { account, key }, 60n)
    const row = sampleRow({ request_id: 'req_1', account_id: account.id, key_id: key.id })
    await ledger.settle({ requestId: 'req_1', costNano: 60n, row })
    const raised = await Promise.all(nodes.map(({ alerts }) => alerts.evaluate()))
    assert.equal(
      raised.reduce((sum, count) => sum + count),
      2,
    )
    const sent = await Promise.all(nodes.map(({ alerts }) => alerts.deliver()))
    assert.equal(
      sent.reduce((sum, count) => sum + count),
      2,
    )
    assert.deepEqual(mails.toSorted(), ['a@example.org below: 0.01', 'a@example.org threshold: 50'])
    clock.nowMs += 1000
    for (const { alerts } of nodes) assert.deepEqual([await alerts.evaluate(), await alerts.deliver()], [0, 0])
    const { data } = await nodes[0]!.alerts.list(account.id, { limit: 10 })
    assert.equal(data.length, 2)
  })
}
