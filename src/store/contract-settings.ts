import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Harness, NOON_MS, openBooks } from './contract-books.ts'

export function settingContract(harness: Harness): void {
  test('a setting is swapped only by who knows what it is', async () => {
    const { store } = await openBooks(harness)
    const swap = (from: string | null, value: string): Promise<boolean> =>
      store.execute('swapSetting', { name: 'list', from, value, nowMs: NOON_MS })
    assert.deepEqual(
      [
        await swap('never', 'a'),
        await swap(null, 'a'),
        await swap(null, 'b'),
        await swap('a', 'b'),
        await swap('a', 'c'),
      ],
      [false, true, false, true, false],
    )
    const { value } = await store.read
      .selectFrom('settings')
      .select('value')
      .where('name', '=', 'list')
      .executeTakeFirstOrThrow()
    assert.equal(value, 'b')
    await store.close()
  })
}
