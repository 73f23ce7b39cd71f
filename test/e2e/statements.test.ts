import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { statementCsv, statementHtml } from '#control-plane/statement-texts.ts'
import { MODELS, startTestGateway } from '#test/e2e/gateway.ts'

const NOVEMBER_MS = Date.UTC(2026, 10, 20, 12)
const DECEMBER_MS = Date.UTC(2026, 11, 2)

test('R99: the statement of a month equals its ledger entries, and a closed one does not change', async () => {
  let nowMs = NOVEMBER_MS
  await using gateway = await startTestGateway({ now: () => nowMs })
  const { accountId, key } = await gateway.fund({ credit: '5', newKey: { system: 'crm' } })
  const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
  for (let count = 0; count < 3; count++) {
    assert.equal((await gateway.ask('/v1/chat/completions', { method: 'POST', key, body })).status, 200)
  }
  const open = (await gateway.ask('/api/billing/statements/2026-11.json', { key })).json
  const nanos = (await gateway.ledger(accountId)).reduce((sum, { amount }) => sum + parseUsd(amount)!, 0n)
  assert.equal(parseUsd(open.closing_balance), nanos)
  assert.equal(open.closing_balance, (await gateway.account(accountId)).balance)
  assert.deepEqual([open.number, open.opening_balance, open.topups], [null, '0', '5'])
  assert.equal(open.usage_by_system[0].name, 'crm')
  assert.deepEqual(
    open.lines.map(({ model, vendor, requests }: Record<string, unknown>) => [model, vendor, requests]),
    [[MODELS.chat.id, 'openai', 3]],
  )
  nowMs = DECEMBER_MS
  const closed = (await gateway.ask('/api/billing/statements/2026-11.json', { key })).json
  assert.deepEqual(closed, { ...open, number: 'INV-202611-1' })
  assert.equal((await gateway.ask('/v1/chat/completions', { method: 'POST', key, body })).status, 200)
  const csv = await gateway.ask('/api/billing/statements/2026-11.csv', { key })
  assert.match(csv.headers.get('content-disposition')!, /statement-INV-202611-1\.csv/)
  assert.ok(csv.text.includes(`closing_balance,,,,,,${closed.closing_balance}\r\n`))
  const html = await gateway.ask('/api/billing/statements/2026-11.html', { key })
  assert.match(html.headers.get('content-security-policy')!, /default-src 'none'/)
  assert.ok(html.text.includes('INV-202611-1'))
  const list = (await gateway.ask('/api/billing/statements', { key })).json.data
  assert.deepEqual(list[1], { month: '2026-11', number: 'INV-202611-1' })
  const stranger = await gateway.fund({ credit: '1' })
  const theirs = await gateway.ask(`/api/billing/statements/2026-12.json?account_id=${accountId}`, {
    key: stranger.key,
  })
  assert.equal(theirs.json.account.id, stranger.accountId)
  const ours = await gateway.admin('GET', `/api/billing/statements/2026-11.json?account_id=${accountId}`)
  assert.deepEqual(ours, closed)
  assert.equal((await gateway.ask('/api/billing/statements/2026-11.pdf', { key })).status, 404)
  assert.equal((await gateway.ask('/api/billing/statements/2026-99.json', { key })).status, 400)
})

test('R99: names are text in a spreadsheet and on the page', () => {
  const evil = '=HYPERLINK("http://x","<script>")'
  const total = { name: evil, requests: 1, amount: '1' }
  const statement = {
    number: null,
    month: '2026-11',
    account: { id: 'acc_1', email: 'a@example.com' },
    currency: 'USD',
    from: '',
    to: '',
    opening_balance: '-1',
    entries: [],
    topups: '0',
    usage: '1',
    taxes: '0',
    closing_balance: '-2',
    usage_by_model: [total],
    usage_by_vendor: [],
    usage_by_key: [],
    usage_by_system: [],
    lines: [{ model: evil, vendor: '@x', key: null, system: null, requests: 1, amount: '1' }],
  } as const
  const csv = statementCsv(statement)
  assert.ok(csv.includes(`usage,"'=HYPERLINK(""http://x"",""<script>"")",'@x,,,1,1\r\n`))
  assert.ok(csv.includes('opening_balance,,,,,,-1\r\n'))
  const html = statementHtml(statement)
  assert.ok(!html.includes('<script>') && html.includes('&lt;script&gt;'))
})
