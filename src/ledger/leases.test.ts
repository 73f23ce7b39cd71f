import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask, booksOver, newAccount } from '#store/contract-books.ts'
import { openStore } from '#store/store.ts'
import { postgresSkip, startPostgres, type TestPostgres } from '#test/postgres.ts'

/** Stands before a server and, once told to, cuts the connection when the server has answered a commit. */
async function createCutter(url: string) {
  const { hostname, port } = new URL(url)
  let isTold = false
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let isCommitting = false
    client.on('data', (bytes) => {
      isCommitting = isTold && bytes.includes('commit\0')
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (!isCommitting || !bytes.includes('COMMIT\0')) return void client.write(bytes)
      isTold = false
      client.destroy()
    })
    client.on('error', () => {}).on('close', () => upstream.destroy())
    upstream.on('error', () => {}).on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = new URL(url)
  own.port = String((server.address() as AddressInfo).port)
  return {
    url: own.href,
    cutNextCommit: () => void (isTold = true),
    close: () => void server.close(),
  }
}

describe('M4: the connection is lost while a hold is being committed', { skip: postgresSkip }, () => {
  let server: TestPostgres
  before(async () => void (server = await startPostgres()))
  after(() => server?.stop())

  test('the hold that was kept for nobody is taken back at once', async () => {
    const cutter = await createCutter(await server.createDatabase('taken_back'))
    const store = await openStore({ kind: 'postgres', url: cutter.url })
    try {
      const books = booksOver(store)
      const account = await newAccount(books, 100n)
      assert.equal((await ask(books, 'req_kept', { account }, 30n)).granted, true)
      cutter.cutNextCommit()
      await assert.rejects(ask(books, 'req_lost', { account }, 60n), { code: 'store_unavailable' })
      // Behind the release in the queue of the writer.
      assert.equal((await ask(books, 'req_next', { account }, 70n)).granted, true)
      const holds = await store.read.selectFrom('holds').select('request_id').orderBy('request_id').execute()
      assert.deepEqual(
        holds.map((hold) => hold.request_id),
        ['req_kept', 'req_next'],
      )
      assert.deepEqual((await books.ledger.verify()).problems, [])
    } finally {
      await store.close()
      cutter.close()
    }
  })
})
