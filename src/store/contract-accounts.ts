import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccounts, ensureBuiltInAccounts } from '#accounts/accounts.ts'
import { CODE_TTL_MS } from '#accounts/key-codes.ts'
import { createKeyRing, KEY_TTL_MS } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import type { GatewayError } from '#base/errors.ts'
import { CONTRACT_PEPPER, newAccount, newKey, NOON_MS, openBooks } from './contract-books.ts'
import type { Harness } from './contract-books.ts'

const code = (expected: string) => (thrown: unknown) => (thrown as GatewayError).code === expected

export function accountContract(harness: Harness): void {
  stateContract(harness)
  inputContract(harness)
  keyContract(harness)
  factorContract(harness)
  secretContract(harness)
  outageContract(harness)
}

function stateContract(harness: Harness): void {
  test('accounts are created, found, listed and credited', async () => {
    await using books = await openBooks(harness)
    const first = await books.accounts.create({
      email: ' Ada@Example.org ',
      mode: 'prepaid',
      creditNano: 5n,
      actor: 'test',
    })
    assert.equal((await books.accounts.findByEmail('ada@example.ORG'))!.id, first.id)
    const again = { email: 'ada@example.org', mode: 'prepaid', actor: 'test' } as const
    await assert.rejects(books.accounts.create(again), code('state_conflict'))
    const entry = await books.accounts.credit(first.id, { amountNano: 7n, note: 'thanks', actor: 'admin' })
    assert.deepEqual(
      [entry.type, entry.amountNano, entry.balanceAfterNano, entry.note, entry.actor],
      ['topup', 7n, 12n, 'thanks', 'admin'],
    )
    const second = await newAccount(books, 0n)
    const page = await books.accounts.list({ limit: 1 })
    const rest = await books.accounts.list({ limit: 1, cursor: page.nextCursor! })
    assert.deepEqual([...page.data, ...rest.data].map(({ id }) => id).sort(), [first.id, second.id].sort())
    assert.equal(rest.nextCursor, null)
    assert.equal(await books.accounts.get('acc_nobody'), undefined)
  })

  test('entries page from the newest to the oldest', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    for (const amountNano of [2n, 3n, 4n]) await books.accounts.credit(account.id, { amountNano, actor: 'test' })
    const seen: bigint[] = []
    let cursor: string | undefined
    do {
      const page = await books.accounts.entries({ accountId: account.id, limit: 3, ...(cursor ? { cursor } : {}) })
      seen.push(...page.data.map((entry) => entry.amountNano))
      cursor = page.nextCursor ?? undefined
    } while (cursor)
    assert.deepEqual(seen, [4n, 3n, 2n, 1n])
    await assert.rejects(books.accounts.entries({ limit: 3, cursor: 'x' }), code('invalid_parameter'))
  })
}

function inputContract(harness: Harness): void {
  test('bad input is refused before it is stored', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const { accounts } = books
    for (const input of [
      { amountNano: 0n },
      { amountNano: -1n },
      { amountNano: 10n ** 18n + 1n },
      { amountNano: 1n, type: 'usage' as const },
      { amountNano: 1n, note: 'n'.repeat(501) },
    ]) {
      await assert.rejects(accounts.credit(account.id, { actor: 'test', ...input }), code('invalid_parameter'))
    }
    await assert.rejects(
      accounts.create({ email: 'nobody', mode: 'prepaid', actor: 'test' }),
      code('invalid_parameter'),
    )
    await assert.rejects(accounts.credit('acc_nobody', { amountNano: 1n, actor: 'test' }), code('not_found'))
    for (const limit of [0, 1001, 1.5]) await assert.rejects(accounts.list({ limit }), code('invalid_parameter'))
  })

  test('the built-in accounts are made once and have no limit', async () => {
    await using books = await openBooks(harness)
    await ensureBuiltInAccounts(books.store)
    await ensureBuiltInAccounts(books.store)
    const operator = (await books.accounts.get(OPERATOR_ACCOUNT_ID))!
    assert.deepEqual(
      [operator.mode, operator.creditLimitNano, operator.email],
      ['postpaid', null, 'operator@localhost'],
    )
    assert.equal((await books.accounts.list({ limit: 10 })).data.length, 2)
  })

  test('a setting that exists keeps its value', async () => {
    await using books = await openBooks(harness)
    const put = (value: string) => books.store.execute('putSetting', { name: 'key_pepper', value, nowMs: NOON_MS })
    assert.deepEqual(await Promise.all([put('one'), put('two')]), ['one', 'one'])
  })
}

function keyContract(harness: Harness): void {
  test('the plaintext of a key is nowhere in the database', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const { key, plaintext } = await books.keys.create({ name: 'laptop', accountId: account.id })
    const dump = await harness.dump(books.store)
    assert.ok(dump.includes(key.hash))
    assert.ok(!dump.includes(plaintext))
    assert.ok(!dump.includes(plaintext.slice(8, -4)))
  })

  test('keys are listed, changed and removed', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const { keys } = books
    const key = await newKey(books, account, { limitNano: 5n, limitReset: 'daily', system: 'billing' })
    assert.deepEqual(await keys.get(key.hash), key)
    books.clock.nowMs += 5
    const changed = await keys.update(key.hash, { name: 'other', disabled: true, limitNano: null })
    const expected = { ...key, name: 'other', disabled: true, limitNano: null, updatedMs: NOON_MS + 5 }
    assert.deepEqual(changed, expected)
    const query = { accountId: account.id, limit: 10, offset: 0 }
    assert.deepEqual(await keys.list({ ...query, includeDisabled: false }), [])
    assert.deepEqual(await keys.list({ ...query, includeDisabled: true }), [expected])
    await keys.remove(key.hash)
    assert.equal(await keys.get(key.hash), undefined)
    await assert.rejects(keys.remove(key.hash), code('not_found'))
    await assert.rejects(keys.update(key.hash, { name: 'x' }), code('not_found'))
    await assert.rejects(keys.create({ name: 'x', accountId: 'acc_nobody' }), code('not_found'))
    await assert.rejects(keys.create({ name: ' ', accountId: account.id }), code('invalid_parameter'))
    const past = { name: 'x', accountId: account.id, expiresMs: NOON_MS }
    await assert.rejects(keys.create(past), code('invalid_parameter'))
  })

  test('the ring answers a warm key at once, and every state with its own error', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const ring = createKeyRing(books.store, CONTRACT_PEPPER)
    const keys = createKeys(books.store, CONTRACT_PEPPER, ring, () => NOON_MS)
    const expiresMs = NOON_MS + 1000
    const { key, plaintext } = await keys.create({ name: 'x', accountId: account.id, expiresMs })
    const cold = ring.find(plaintext, NOON_MS)
    assert.ok(cold instanceof Promise)
    assert.deepEqual(await cold, {
      account: {
        id: account.id,
        email: account.email,
        mode: 'prepaid',
        status: 'active',
        tier: 'default',
        chargeFactor: 1_000_000n,
      },
      key,
      billing: 'prepaid',
      contentLog: null,
    })
    assert.ok(!(ring.find(plaintext, NOON_MS + 1) instanceof Promise))
    assert.throws(() => ring.find(plaintext, expiresMs), code('key_expired'))
    await keys.update(key.hash, { disabled: true })
    await assert.rejects(async () => ring.find(plaintext, NOON_MS), code('key_disabled'))
    await keys.update(key.hash, { disabled: false })
    await books.accounts.setStatus(account.id, 'suspended')
    ring.forget(key.id)
    await assert.rejects(async () => ring.find(plaintext, NOON_MS), code('account_suspended'))
    await keys.remove(key.hash)
    await assert.rejects(async () => ring.find(plaintext, NOON_MS), code('invalid_api_key'))
    assert.throws(() => ring.find(`${plaintext.slice(0, -1)}!`, NOON_MS), code('invalid_api_key'))
  })
}

function factorContract(harness: Harness): void {
  test('R93: the charge factor of an account counts at once where it was set, and at another node when its key is read again', async () => {
    await using books = await openBooks(harness)
    const { id } = await newAccount(books, 1n)
    const [here, there] = [createKeyRing(books.store, CONTRACT_PEPPER), createKeyRing(books.store, CONTRACT_PEPPER)]
    const accounts = createAccounts(books.store, { keyRing: here })
    const { plaintext } = await books.keys.create({ name: 'x', accountId: id })
    const factorAt = async (ring: typeof here, ms: number) => (await ring.find(plaintext, ms)).account.chargeFactor
    assert.deepEqual([await factorAt(here, NOON_MS), await factorAt(there, NOON_MS)], [1_000_000n, 1_000_000n])
    assert.equal((await accounts.setChargeFactor(id, 850_001n)).chargeFactor, 850_001n)
    assert.equal(await factorAt(here, NOON_MS + 1), 850_001n)
    assert.equal(await factorAt(there, NOON_MS + KEY_TTL_MS), 850_001n)
    for (const bad of [-1n, 1_000_000_000n]) {
      await assert.rejects(accounts.setChargeFactor(id, bad), code('invalid_parameter'))
    }
    await assert.rejects(accounts.setChargeFactor('acc_none', 1n), code('not_found'))
    assert.equal((await accounts.setChargeFactor(id, 999_999_999n)).chargeFactor, 999_999_999n)
  })
}

function secretContract(harness: Harness): void {
  test('R15: a rotated key is one key with two secrets until the overlap ends', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const ring = createKeyRing(books.store, CONTRACT_PEPPER)
    const keys = createKeys(books.store, CONTRACT_PEPPER, ring, () => NOON_MS)
    const { key, plaintext } = await keys.create({ name: 'x', accountId: account.id })
    await ring.find(plaintext, NOON_MS)
    const untilMs = NOON_MS + 1000
    const rotated = await keys.rotate(key.hash, untilMs)
    assert.equal(rotated.key.id, key.id)
    for (const text of [plaintext, rotated.plaintext]) {
      assert.equal((await ring.find(text, NOON_MS)).key!.id, key.id)
    }
    assert.equal((await ring.find(plaintext, untilMs - 1)).key!.id, key.id)
    await assert.rejects(async () => ring.find(plaintext, untilMs), code('invalid_api_key'))
    await assert.rejects(async () => ring.find(plaintext, untilMs + KEY_TTL_MS), code('invalid_api_key'))
    assert.equal((await ring.find(rotated.plaintext, untilMs + KEY_TTL_MS)).key!.id, key.id)
    await assert.rejects(keys.rotate(key.hash, untilMs), code('not_found'))
    await keys.remove(rotated.key.hash)
    await assert.rejects(keys.rotate(rotated.key.hash, untilMs), code('not_found'))
  })

  test('a code for a key counts once, until its time is over, and stands nowhere in the database', async () => {
    await using books = await openBooks(harness)
    const { id: accountId } = await newAccount(books, 1n)
    const wish = { name: 'app', system: null, groups: ['default'], limitReset: null, expiresMs: null, limitNano: '5' }
    const create = () => books.keys.createCode({ accountId, wish, challenge: null, nowMs: NOON_MS })
    const first = await create()
    assert.ok(!(await harness.dump(books.store)).includes(first))
    const late = NOON_MS + CODE_TTL_MS
    assert.deepEqual(await books.keys.takeCode(first, undefined, late - 1), { accountId, wish })
    assert.equal(await books.keys.takeCode(first, undefined, late - 1), null)
    assert.equal(await books.keys.takeCode(await create(), undefined, late), null)
  })
}

function outageContract(harness: Harness): void {
  test('a change by another node is seen when the warm time is over', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const ring = createKeyRing(books.store, CONTRACT_PEPPER)
    const { key, plaintext } = await books.keys.create({ name: 'x', accountId: account.id })
    await ring.find(plaintext, NOON_MS)
    await books.keys.remove(key.hash)
    assert.ok(!(ring.find(plaintext, NOON_MS + 1) instanceof Promise))
    await assert.rejects(async () => ring.find(plaintext, NOON_MS + KEY_TTL_MS), code('invalid_api_key'))
  })

  test('the ring keeps no more keys than its bound', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const ring = createKeyRing(books.store, CONTRACT_PEPPER, { keysWarmMax: 2, billing: 'off' })
    const texts: string[] = []
    for (const name of ['one', 'two', 'three']) {
      texts.push((await books.keys.create({ name, accountId: account.id })).plaintext)
    }
    for (const text of texts) assert.equal((await ring.find(text, NOON_MS)).billing, 'off')
    const again = texts.map((text) => ring.find(text, NOON_MS))
    assert.deepEqual(
      again.map((found) => found instanceof Promise),
      [true, false, false],
    )
    await Promise.all(again)
  })

  test('a store that is gone is an outage and never an invalid key', async () => {
    const books = await openBooks(harness)
    const account = await newAccount(books, 1n)
    const ring = createKeyRing(books.store, CONTRACT_PEPPER)
    const { plaintext } = await books.keys.create({ name: 'x', accountId: account.id })
    await books.store.close()
    await assert.rejects(async () => ring.find(plaintext, NOON_MS), code('store_unavailable'))
    await assert.rejects(newAccount(books, 1n), code('store_unavailable'))
  })
}
