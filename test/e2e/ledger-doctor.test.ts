/** B1: `trivium doctor --ledger` shows the trial balance, and names what somebody changed past the gateway. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { type Json, MODELS, startTestGateway } from './gateway.ts'

let data: string
let requestId: string
let accountId: string
let cost: string

before(async () => {
  data = mkdtempSync(join(tmpdir(), 'trivium-ledger-'))
  await using gateway = await startTestGateway({ flags: { 'data-dir': data } })
  ;({ accountId } = gateway)
  const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }], max_tokens: 100 }
  const told = await gateway.ask('/v1/chat/completions', { body })
  assert.equal(told.status, 200)
  requestId = told.headers.get('x-request-id')!
  cost = String((await gateway.log(requestId)).charged_cost)
})
after(() => rmSync(data, { recursive: true, force: true, maxRetries: 3 }))

async function examine(...args: string[]): Promise<{ code: number; out: string }> {
  let out = ''
  const code = await runCli({
    args: ['doctor', '--ledger', '--data-dir', data, ...args],
    env: {},
    cwd: data,
    out: (text) => void (out += `${text}\n`),
    error: () => {},
  })
  return { code, out }
}

async function problemsAfter(...sql: string[]): Promise<Json> {
  const db = new DatabaseSync(join(data, 'trivium.db'))
  for (const text of sql) db.exec(text)
  db.close()
  const { code, out } = await examine('--json')
  assert.equal(code, 1)
  return JSON.parse(out).ledger.problems
}

test('B1: debits and credits of every account of ours, and of the customers together', async () => {
  const { code, out } = await examine('--json')
  assert.equal(code, 0, out)
  const { ledger } = JSON.parse(out)
  assert.match(ledger.detail, / accounts, 2 entries, 0 open holds$/)
  assert.deepEqual(ledger.trial_balance, [
    { account: 'customers', debit: cost, credit: '100', balance: String(100 - Number(cost)) },
    { account: 'promotions', debit: '100', credit: '0', balance: '-100' },
    { account: 'revenue:usage', debit: '0', credit: cost, balance: cost },
  ])
  const shown = await examine()
  assert.match(shown.out, /^ACCOUNT +DEBIT +CREDIT +BALANCE$/m)
  assert.match(shown.out, new RegExp(`^revenue:usage +0 +${cost} +${cost}$`, 'm'))
})

test('B1: what was changed past the gateway is named: a row, an entry, a balance, a hold', async () => {
  const row = `where request_id = '${requestId}'`
  assert.deepEqual(await problemsAfter(`update requests set charged_cost_nano = 1 ${row}`), [
    `${requestId}: charged ${nanoOf(cost)}, and its row says 1.`,
  ])
  const entry = await problemsAfter(
    `update requests set charged_cost_nano = ${nanoOf(cost)} ${row}`,
    'drop trigger ledger_entries_no_update',
    `update ledger_entries set amount_nano = 0 ${row}`,
  )
  assert.ok(entry.some((problem: string) => problem.startsWith(`${accountId}: balance `)))
  assert.ok(entry.some((problem: string) => /from entry \d+ on the balance is not the sum/.test(problem)))
  assert.ok(entry.includes(`${requestId}: charged 0, and its row says ${nanoOf(cost)}.`))
  const held = await problemsAfter(
    `update ledger_entries set amount_nano = -${nanoOf(cost)} ${row}`,
    `update accounts set held_nano = 5 where id = '${accountId}'`,
  )
  assert.deepEqual(held, [`${accountId}: held 5, holds 0.`])
})

const nanoOf = (usd: string): number => Math.round(Number(usd) * 1e9)
