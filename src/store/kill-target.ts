/** The victim of the kill test: books requests without end and prints each id once its settlement is durable. */
import { createLedger } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { ask, booksOver, newAccount, NOON_MS, sampleRow } from './contract-books.ts'
import { openStore } from './store.ts'

const CONCURRENCY = 16

const [file, round, kind] = process.argv.slice(2)
const store = await openStore({ kind: 'sqlite', file: file! })
const books = booksOver(store, NOON_MS, kind === 'sql' ? createLedger : openLedger)
await books.ledger.recover()
const email = 'person1@example.org'
const account = (await books.accounts.findByEmail(email)) ?? (await newAccount(books, 10n ** 15n))
let count = 0

async function bookForever(): Promise<never> {
  for (;;) {
    const requestId = `req_${round}_${++count}`
    await ask(books, requestId, { account }, 20n)
    const row = sampleRow({ request_id: requestId, account_id: account.id })
    await books.ledger.settle({ requestId, costNano: 10n, row })
    process.stdout.write(`${requestId}\n`)
  }
}

await Promise.all(Array.from({ length: CONCURRENCY }, bookForever))
