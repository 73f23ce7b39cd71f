import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startStripe } from '#test/payments/stripe.ts'
import { type Json, startTestGateway, type TestGateway } from './gateway.ts'
import { operationsOf, type Operation } from './operations.ts'

/**
 * S8: every write that an account's own keys may do, with members beside the valid ones that nobody but the operator may set.
 * Made of the gateway's own description: a new route has to be given a body here.
 */

interface Owner {
  readonly accountId: string
  readonly key: string
  readonly administration: string
}

let gateway: TestGateway
let closeStripe: () => unknown
let operations: Operation[]
let owner: Owner
let other: Owner

async function newOwner(): Promise<Owner> {
  const { accountId, key } = await gateway.fund({ credit: '50' })
  const made = await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  return { accountId, key, administration: made.key }
}

before(async () => {
  const stripe = await startStripe()
  closeStripe = stripe.close
  const env = { STRIPE_SECRET_KEY: 'sk_test', STRIPE_WEBHOOK_SECRET: 'whsec_test', STRIPE_API_URL: stripe.url }
  gateway = await startTestGateway({ env })
  operations = (await operationsOf(gateway)).filter(
    ({ method, guard, path }) =>
      method !== 'GET' && (guard === 'management' || guard === 'any-key') && !path.includes('/responses/'),
  )
  owner = await newOwner()
  other = await newOwner()
})
after(async () => {
  await gateway.close()
  await closeStripe()
})

const as = (key: string, method: string, path: string, body: object) =>
  gateway.ask(path, { method, key, ...(method !== 'GET' && { body }) })

const fresh: Record<string, () => Promise<string>> = {
  keys: async () => (await as(owner.administration, 'POST', '/api/v1/keys', { name: 'k' })).json.data.hash,
  budgets: async () => (await as(owner.administration, 'POST', '/api/v1/budgets', { max_usd: '9' })).json.id,
  // Their writes read no body: nothing of theirs has to be there.
  logs: async () => 'none',
  alerts: async () => 'none',
  sessions: async () => 'none',
}

const BODIES: Readonly<Record<string, () => Promise<object>>> = {
  'POST /api/v1/keys': async () => ({ name: 'k' }),
  'PATCH /api/v1/keys/{hash}': async () => ({ name: 'k2' }),
  'POST /api/v1/keys/{hash}/rotate': async () => ({}),
  'DELETE /api/v1/keys/{hash}': async () => ({}),
  'POST /api/v1/auth/keys/code': async () => ({ code_challenge: 'c' }),
  'POST /v1/me/vouchers': async () => ({
    code: (await gateway.admin('POST', '/api/admin/vouchers', { amount: '5' })).data[0].code,
  }),
  'POST /v1/me/checkout': async () => ({ amount: '5' }),
  'PATCH /api/v1/auto-topup': async () => ({ enabled: false }),
  'POST /api/v1/budgets': async () => ({ max_usd: '7' }),
  'PATCH /api/v1/budgets/{id}': async () => ({ max_usd: '8' }),
  'DELETE /api/v1/budgets/{id}': async () => ({}),
  'PATCH /api/v1/alert-settings': async () => ({ thresholds: [70] }),
  'POST /api/alerts/acknowledge': async () => ({}),
  'POST /api/alerts/{id}/acknowledge': async () => ({}),
  'POST /api/sessions/{id}/stop': async () => ({}),
  'PATCH /api/v1/content-log': async () => ({ content_log: { mode: 'none' } }),
  'DELETE /api/logs/content': async () => ({}),
  'DELETE /api/logs/{id}/content': async () => ({}),
}

/** One at a time, so that the refusal of one does not hide another. */
const evil = (): Record<string, unknown> => ({
  account_id: other.accountId,
  accountId: other.accountId,
  workspace_id: other.accountId,
  user_id: other.accountId,
  org_id: other.accountId,
  kind: 'management',
  role: 'admin',
  is_admin: true,
  is_management_key: true,
  set_by: 'operator',
  balance: '1000',
  balance_nano: 1_000_000_000_000,
  credit: '1000',
  credits: 1000,
  credit_limit: '1000',
  paid: '1000',
  status: 'paid',
  tier: 'gold',
  tier_assigned: true,
  lifetime_purchases: '1000',
  mode: 'postpaid',
  spent: '-5',
  usage: -5,
  price: 0,
  actor: 'master',
  created_at: '2001-01-01T00:00:00Z',
  allowed_routes: ['*'],
  groups: ['no-such-group'],
  break_glass: [{ on: ['402'], use: 'openai', max_usd: '9', period: 'daily' }],
  ['__proto__']: { is_admin: true },
  constructor: { prototype: { is_admin: true } },
})

/** All that belongs to somebody else, and of one's own what only the operator sets. */
async function pictureOf({ accountId }: Owner, isOwn: boolean): Promise<Json> {
  const { balance, held: _held, available: _available, ...account } = await gateway.account(accountId)
  const keys = (await gateway.admin('GET', `/api/v1/keys?account_id=${accountId}&include_disabled=true`)).data
  const budgets = (await gateway.admin('GET', `/api/v1/budgets?account_id=${accountId}`)).data
  if (isOwn) {
    return {
      account,
      managers: keys.filter((key: Json) => key.is_management_key || key.kind === 'management').length,
      groups: [...new Set(keys.flatMap((key: Json) => key.groups))],
      glass: keys.filter((key: Json) => key.break_glass?.length > 0).length,
      setBy: [...new Set(budgets.map((budget: Json) => budget.set_by))],
      owners: [...new Set([...keys, ...budgets].map((thing: Json) => thing.account_id))],
    }
  }
  const settings = await gateway.admin('GET', `/api/v1/alert-settings?account_id=${accountId}`)
  const topup = await gateway.admin('GET', `/v1/me/auto-topup?account_id=${accountId}`).catch(() => null)
  return { account, balance, keys, budgets, settings, topup }
}

test('S8: members that only the operator may set are ignored or refused, on every write', async () => {
  assert.ok(operations.length >= 12)
  await fresh['budgets']!()
  const before = { own: await pictureOf(owner, true), others: await pictureOf(other, false) }
  assert.deepEqual([before.own.managers, before.own.owners], [1, [owner.accountId]], 'the picture shows something')
  let tried = 0
  for (const { method, path, guard } of operations) {
    const bodyOf = BODIES[`${method} ${path}`]
    assert.ok(bodyOf, `${method} ${path} writes: give it a body here`)
    const kind = /\/(\w+)\/\{/.exec(path)?.[1]
    for (const [name, value] of Object.entries(evil())) {
      const target = kind === undefined ? path : path.replace(/\{\w+\}/, await fresh[kind]!())
      const text = JSON.stringify({ ...(await bodyOf()), [name]: value })
      const credentials = guard === 'any-key' ? owner.key : owner.administration
      const told = await gateway.ask(target, { method, key: credentials, body: text })
      assert.ok(told.status < 500, `${method} ${path} ${name}: ${told.status}`)
      assert.ok(!told.text.includes(other.accountId) || told.status >= 400, `${method} ${path} ${name}: ${told.text}`)
      tried++
    }
  }
  assert.ok(tried > 300)
  assert.deepEqual(await pictureOf(other, false), before.others)
  assert.deepEqual(await pictureOf(owner, true), {
    ...before.own,
    // What the vouchers bought, and nothing that anybody wrote.
    account: { ...before.own.account, lifetime_purchases: (await gateway.account(owner.accountId)).lifetime_purchases },
  })
  const entries = await gateway.ledger(owner.accountId)
  const topups = entries.filter(({ type }) => type === 'topup')
  assert.ok(topups.every(({ amount, payment_ref: ref }) => amount === '5' && ref.startsWith('voucher:')))
  assert.deepEqual(new Set(entries.map(({ type }) => type)), new Set(['topup', 'grant']))
})
