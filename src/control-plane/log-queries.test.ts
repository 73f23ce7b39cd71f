import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { KyselyPlugin, RootOperationNode } from 'kysely'
import { flatten } from '#store/request-columns.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'

/** What a view of the log costs the database, whatever it shows (R101, R107). */

const ROWS = 1_200
const NOW_MS = Date.now()

let bed: Testbed
let asked: RootOperationNode[] = []
before(async () => {
  bed = await startTestbed()
  const rowAt = (at: number) => flatten(requestRow({ request_id: `req_${at}`, ts_start_ms: NOW_MS - at * 1000 }))
  for (let from = 0; from < ROWS; from += 100)
    await bed.store.execute(
      'appendRows',
      Array.from({ length: 100 }, (_, of) => rowAt(from + of)),
    )
  const counter: KyselyPlugin = {
    transformQuery({ node }) {
      asked.push(node)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const read = bed.store.read.withPlugin(counter)
  Object.defineProperty(bed.store, 'read', { value: read })
})
after(() => bed.close())

const queriesOf = async (path: string): Promise<{ count: number; text: string; offsets: number }> => {
  asked = []
  const { status, text } = await bed.ask('GET', path, { key: bed.masterKey })
  assert.equal(status, 200, `${path}: ${text}`)
  return { count: asked.length, text, offsets: asked.filter((node) => 'offset' in node && node.offset).length }
}

test('R101: a page of the log and a single row are one query each, and no page counts its way from the first', async () => {
  const first = await queriesOf('/api/logs?limit=500')
  assert.deepEqual([first.count, first.offsets], [1, 0])
  const { data, next_cursor: cursor } = JSON.parse(first.text)
  assert.equal(data.length, 500)
  const second = await queriesOf(`/api/logs?limit=500&cursor=${cursor}`)
  assert.deepEqual([second.count, second.offsets], [1, 0])
  const filtered = await queriesOf('/api/logs?limit=1&model=gpt-4o&status=ok&key_id=x&system=y')
  assert.deepEqual([filtered.count, filtered.offsets], [1, 0])
  const one = await queriesOf('/api/logs/req_700')
  assert.equal(one.count, 1)
})

test('R107: an export asks once for each of its pages', async () => {
  const from = new Date(NOW_MS - 86_400_000).toISOString()
  const { count, text, offsets } = await queriesOf(`/api/usage/export?format=jsonl&from=${from}`)
  assert.equal(text.trimEnd().split('\n').length, ROWS)
  assert.deepEqual([count, offsets], [3, 0])
})
