/**
 * M10: histories of a ledger with crashes, duplicates, delays and chargebacks, each repeatable by its seed (`TRIVIUM_SEED`).
 * `TRIVIUM_FAULTS=full` plays 10 500 seeds of 1000 operations.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, openDisk, World } from './ledger-simulator.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
/** A dead process leaves the files of its journal open in this one, hence fewer of those. */
const SEEDS: Record<Kind, number> = FULL
  ? { shared: 5000, 'single-node': 5000, journaled: 500 }
  : { shared: 200, 'single-node': 150, journaled: 150 }
const OPERATIONS = FULL ? 1000 : 120
/** Histories on one disk: its books are verified together at the end. */
const SEEDS_PER_DISK = 50
const KINDS = ['shared', 'single-node', 'journaled'] as const satisfies Kind[]
const ONLY = process.env['TRIVIUM_SEED']

for (const kind of KINDS) {
  const seeds = ONLY ? [Number(ONLY)] : Array.from({ length: SEEDS[kind] }, (_, at) => at)
  test(`M10: ${seeds.length} histories of ${OPERATIONS} operations, ledger ${kind}`, async () => {
    for (let first = 0; first < seeds.length; first += SEEDS_PER_DISK) {
      const disk = openDisk()
      let last: World | undefined
      for (const seed of seeds.slice(first, first + SEEDS_PER_DISK)) {
        last = new World(disk, kind, seed, OPERATIONS)
        await last.play().catch((cause: unknown) => assert.fail(`seed ${seed}: ${String(cause)}`))
      }
      assert.deepEqual(await last!.verify(), [])
      for (const change of ['update ledger_entries set amount_nano = 0', 'delete from ledger_entries'])
        assert.throws(() => disk.query(change, []), /append-only/)
      disk.close()
    }
  })
}
