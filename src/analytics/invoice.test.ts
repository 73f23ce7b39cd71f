import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { INVOICE_LINES_MAX, readInvoice } from './invoice.ts'

const refuses = (csv: string, message: RegExp): void =>
  assert.throws(
    () => readInvoice(csv),
    (thrown) => (thrown as GatewayError).code === 'invalid_parameter' && message.test((thrown as Error).message),
  )

test('B6: an invoice is read by the names of its columns, whatever their order, quotes and line ends', () => {
  const csv = '\uFEFFModel,"Cost (note)",Amount USD,Date\r\n"gpt-4o, mini",x,"$1,234.50",2026-11-20T00:00:00Z\r\n\r\n'
  assert.deepEqual(readInvoice(csv), [
    { day: '2026-11-20', model: 'gpt-4o, mini', backend: null, costNano: 1_234_500_000_000n, unitNano: 10_000_000n },
  ])
  const semicolons = 'day;model;cost;backend\n2026-11-20;"a ""b""";0.1;openai'
  assert.deepEqual(
    readInvoice(semicolons).map(({ model, costNano, backend }) => [model, costNano, backend]),
    [['a "b"', 100_000_000n, 'openai']],
  )
})

test('B6: more digits than ours are rounded half up, floats are read as they stand, credits are negative', () => {
  const cost = (text: string) => readInvoice(`day,model,cost\n2026-11-20,m,${text}`)[0]!.costNano
  assert.equal(cost('0.0000000005'), 1n)
  assert.equal(cost('0.00000000049'), 0n)
  assert.equal(cost('1e-7'), 100n)
  assert.equal(cost('-2.5'), -2_500_000_000n)
  assert.equal(cost('3'), 3_000_000_000n)
})

test('B6: what is no invoice is refused, and the line is named', () => {
  refuses('', /no lines/)
  refuses('day,model,cost\n', /no lines/)
  refuses('day,cost\n2026-11-20,1', /no column 'model'/)
  refuses('day,model,cost\n2026-11-20,m,1\n20.11.2026,m,1', /Line 3: the day/)
  refuses('day,model,cost\n2026-11-20,,1', /Line 2: there is no model/)
  for (const cost of ['', 'x', '1.x', 'NaN', '1e400', '--1', '0x10'])
    refuses(`day,model,cost\n2026-11-20,m,${cost}`, /Line 2: the cost/)
  const line = '\n2026-11-20,m,1'
  assert.equal(readInvoice(`day,model,cost${line.repeat(INVOICE_LINES_MAX)}`).length, INVOICE_LINES_MAX)
  refuses(`day,model,cost${line.repeat(INVOICE_LINES_MAX + 1)}`, /at most/)
})
