import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { FAULT_CHARACTERS_MAX, FAULT_IGNORED } from '#data-plane/5-plan/fault-lab.ts'
import { FAULT_NAMES } from '#simulator/fault-list.ts'
import { play } from './fault-lab-play.ts'
import { DOCUMENT, FAULT_CASES, faultTable, LAB_SURFACES, seenBy } from './fault-table.ts'
import { MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { SURFACES } from './surfaces.ts'

/** The fault lab (B12): every fault on every surface, whole and streamed, over real sockets. */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { lab: { type: 'simulator' } } } })
})
after(() => gateway.close())

describe('B12: every fault has the result that docs/fault-lab.md tells', () => {
  for (const { fault, model, whole, stream } of FAULT_CASES) {
    test(`${fault} on 4 surfaces, whole and streamed`, async () => {
      const { key, accountId } = await gateway.fund({ credit: '0' })
      for (const surface of LAB_SURFACES) {
        const headers = { 'x-fault': fault }
        const one = await play(gateway, surface, model, false, headers, key)
        assert.equal(one.seen, seenBy(whole, surface), `${surface}: ${one.text}`)
        const other = await play(gateway, surface, model, true, headers, key)
        assert.equal(other.seen, seenBy(stream, surface), `${surface}, streamed: ${other.text}`)
      }
      const rows = await gateway.logs(accountId)
      assert.deepEqual(new Set(rows.map((row) => row.fault)), new Set([fault]))
      assert.equal((await gateway.account(accountId)).balance, '0')
      assert.ok((await gateway.ledger(accountId)).every((entry) => entry.amount === '0'))
    })
  }

  test('no fault is left out, and without one all is well', async () => {
    const tried = FAULT_CASES.flatMap(({ fault }) => fault.split('|').map((one) => one.split('=')[0]))
    assert.deepEqual(new Set(tried), new Set(FAULT_NAMES))
    for (const surface of LAB_SURFACES) {
      for (const model of ['test/echo', 'mock/echo', 'test/tools', 'test/thinking']) {
        for (const stream of [false, true]) {
          assert.equal((await play(gateway, surface, model, stream, {})).seen, '200, complete', `${surface} ${model}`)
        }
      }
    }
  })

  test('the table of the document is this one', () => {
    const text = readFileSync(DOCUMENT, 'utf8')
    const wanted = text.replace(
      /(<!-- faults -->\n)[\s\S]*?(<!-- \/faults -->)/,
      (_, start: string, end: string) => `${start}\n${faultTable()}\n\n${end}`,
    )
    if (process.env['TRIVIUM_UPDATE_DOCUMENTS'] === '1') return writeFileSync(DOCUMENT, wanted)
    const cells = (table: string): string => table.replace(/ *\| */g, '|').replace(/-{3,}/g, '---')
    assert.equal(cells(text), cells(wanted))
  })
})

test('waits are kept', async () => {
  const startedAt = performance.now()
  await play(gateway, 'chat', 'test/echo', true, { 'x-fault': 'slow-ttft=40ms|chunk-delay=10ms' })
  assert.ok(performance.now() - startedAt >= 90)
})

test("a model's name and the other header ask the same, and an unknown fault is 400", async () => {
  assert.match((await play(gateway, 'messages', 'sim/fault-429', false, {})).seen, /^429/)
  assert.match((await play(gateway, 'gemini', 'test/fault-reset', true, {})).seen, /^502/)
  assert.match((await play(gateway, 'chat', 'test/echo', false, { 'x-simulate-fault': '529' })).seen, /^502/)
  const unknown = await play(gateway, 'chat', 'test/echo', false, { 'x-fault': 'nonsense' })
  assert.equal(unknown.status, 400)
  assert.match(unknown.text, /duplicate-tool-id/)
  const long = (length: number) => play(gateway, 'chat', 'test/echo', false, { 'x-fault': '|'.repeat(length) })
  assert.equal((await long(FAULT_CHARACTERS_MAX)).status, 200)
  assert.equal((await long(FAULT_CHARACTERS_MAX + 1)).status, 400)
})

test('X-Fault-Attempt names the attempt that fails', async () => {
  const headers = { 'x-fault': '503', 'x-fault-attempt': '1' }
  assert.match((await play(gateway, 'chat', 'test/echo', false, headers)).seen, /^502/)
  assert.equal((await play(gateway, 'chat', 'test/echo', false, { ...headers, 'x-fault-attempt': '2' })).status, 200)
  assert.equal((await play(gateway, 'chat', 'test/echo', false, { ...headers, 'x-fault-attempt': '0' })).status, 400)
})

describe('a real model', () => {
  const ask = (at: TestGateway, key: string | null, stream: boolean) =>
    at.ask(SURFACES.chat.path, { key, headers: { 'x-fault': '503' }, body: { ...SURFACES.chat.body, stream } })

  test('of a key is left alone, with a warning', async () => {
    for (const stream of [false, true]) {
      const sent = gateway.upstream.count()
      const told = await ask(gateway, gateway.key, stream)
      assert.deepEqual([told.status, told.headers.get('x-gateway-warnings')], [200, FAULT_IGNORED])
      assert.equal(gateway.upstream.count(), sent + 1)
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual([row.fault, row.warnings], [null, [FAULT_IGNORED]])
    }
  })

  test('in single-user mode is played by the simulator, and its provider is not called', async () => {
    await using single = await startSingleUser()
    const told = await single.ask(SURFACES.messages.path, {
      key: null,
      headers: { 'x-fault': 'split-utf8' },
      body: { ...SURFACES.messages.body, model: MODELS.chat.id, messages: [{ role: 'user', content: 'Grüße' }] },
    })
    assert.equal(told.status, 200, told.text)
    assert.equal(told.json.content[0].text, 'Grüße')
    assert.equal(told.json.model, MODELS.chat.id)
    assert.equal((await ask(single, null, true)).status, 503)
    assert.equal(single.upstream.count(), 0)
  })
})

/** Without keys there is nothing to fund. */
async function startSingleUser(): Promise<TestGateway> {
  return startTestGateway({ flags: { 'disable-auth': true } })
}
