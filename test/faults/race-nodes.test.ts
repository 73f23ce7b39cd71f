/** M1 at two gateway processes that share one PostgreSQL: only with `TRIVIUM_FAULTS=full`, 20 seeds or that of `TRIVIUM_SEED`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { postgresSkip } from '#test/postgres.ts'
import { Lanes } from './lanes.ts'
import { type Nodes, startNodes } from './nodes.ts'
import { CLIENTS, CONNECTIONS, describeTimes, enter, PAID_FOR, race, RACE_PRICE } from './racing.ts'
import { Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const ONLY = process.env['TRIVIUM_SEED']
const SEEDS = ONLY ? [Number(ONLY)] : Array.from({ length: 20 }, (_, at) => at)

if (FULL) {
  test(
    `M1: ${CLIENTS} requests at two processes race for a balance that pays for ${PAID_FOR}, ${SEEDS.length} seeds`,
    {
      skip: postgresSkip,
    },
    async (t) => {
      const upstream = await Upstream.start()
      let nodes: Nodes | undefined
      try {
        nodes = await startNodes(2, { config: faultConfig(upstream.url, RACE_PRICE) })
        const { gateways } = nodes
        const all: number[] = []
        for (const seed of SEEDS) {
          // Each of them may admit all that are paid for.
          const lanes = gateways.map((gateway) => new Lanes(gateway, CONNECTIONS / 2 + PAID_FOR))
          const entered = await enter(gateways[0]!, `nodes-${seed}`, seed % 4 < 2 ? 1 : 10)
          const { refusedMs } = await race({ gateways, lanes, upstream, ...entered, seed }).catch((cause: unknown) =>
            assert.fail(`seed ${seed}: ${String(cause)}`),
          )
          for (const lane of lanes) lane.close()
          all.push(...refusedMs)
        }
        t.diagnostic(describeTimes(all))
      } finally {
        await nodes?.close()
        await upstream.close()
      }
    },
  )
}
