import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ABSENCE } from './corpus.ts'

/** Most faults that one failing law tells in full. */
const FAULTS_TOLD_MAX = 20

/** A law over the recordings: collects every fault before it fails, so that one run tells them all. */
export function law(
  name: string,
  casesMin: number,
  check: (tell: (id: string, fault: string) => void) => number | Promise<number>,
): void {
  test(name, { skip: ABSENCE }, async (context) => {
    const faults: string[] = []
    const count = await check((id, fault) => faults.push(`${id}: ${fault}`))
    context.diagnostic(`${count} cases`)
    const told = [`${faults.length} faults in ${count} cases`, ...faults.slice(0, FAULTS_TOLD_MAX)].join('\n')
    assert.equal(faults.length, 0, told)
    assert.ok(count >= casesMin, `${count} cases, at least ${casesMin} expected`)
  })
}
