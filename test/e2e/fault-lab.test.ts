import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { FAULT_CHARACTERS_MAX, FAULT_IGNORED } from '#data-plane/5-plan/fault-lab.ts'
import { FAILURES_MAX } from '#health/circuit.ts'
import { FAULT_NAMES } from '#simulator/fault-list.ts'
import { play } from './fault-lab-play.ts'
import { DOCUMENT, FAULT_CASES, faultTable, LAB_SURFACES, seenBy } from './fault-table.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
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

const TOLD = `param=x-fault;action=drop;reason=${FAULT_IGNORED.reason}`

test('a priced model of the simulator costs nothing with a fault, and its price without one', async () => {
  const { key, accountId } = await gateway.fund({ credit: '0' })
  const ask = (headers: Record<string, string>) => play(gateway, 'chat', 'sim/echo', false, headers, key)
  assert.equal((await ask({})).status, 402)
  const fine = await ask({ 'x-fault': 'split-utf8' })
  assert.deepEqual([fine.seen, fine.headers.get('x-gateway-cost')], ['200, complete', '0'])
  // Another attempt than the one that fails is of the same test.
  assert.equal((await ask({ 'x-fault': '503', 'x-fault-attempt': '2' })).headers.get('x-gateway-cost'), '0')
  const charged = (await gateway.logs(accountId)).map((row) => [row.fault, row.charged_cost])
  assert.deepEqual(charged, [
    ['503', '0'],
    ['split-utf8', '0'],
    [null, null],
  ])
  assert.equal((await gateway.account(accountId)).balance, '0')
})

describe('X-Fault-Attempt: 1 and a second route', () => {
  let pair: TestGateway
  before(async () => {
    const config = {
      backends: { lab: { type: 'simulator' }, other: { type: 'simulator' } },
      failure_handling: { enabled: true, min_retry_wait: 0.01 },
    }
    pair = await startTestGateway({ config })
  })
  after(() => pair.close())

  test('200 from the second in 2 attempts, on 4 surfaces, whole and streamed; no backend is worse off for it', async () => {
    const headers = { 'x-fault': '503', 'x-fault-attempt': '1' }
    const { key, accountId } = await pair.fund({ credit: '0' })
    for (const surface of LAB_SURFACES) {
      for (const stream of [false, true]) {
        const told = await play(pair, surface, 'test/echo', stream, headers, key)
        assert.equal(told.seen, '200, complete', `${surface}: ${told.text}`)
        assert.equal(told.headers.get('x-gateway-attempts'), '2', surface)
      }
    }
    const rows = await pair.logs(accountId)
    assert.equal(rows.length, 8)
    for (const { fault, attempts } of rows) {
      assert.equal(fault, '503')
      assert.deepEqual(
        attempts.map((one: Json) => one.status),
        [503, 200],
      )
      assert.notEqual(attempts[0].backend, attempts[1].backend)
    }
    assert.equal((await pair.account(accountId)).balance, '0')
    // Faults of every attempt, more than a circuit endures.
    for (let count = 0; count <= FAILURES_MAX; count++)
      await play(pair, 'chat', 'test/echo', false, { 'x-fault': 'reset' })
    for (let count = 0; count <= FAILURES_MAX; count++) await play(pair, 'chat', 'sim/fault-503', false, {})
    const backends: Json[] = (await pair.admin('GET', '/api/admin/backends')).data
    const states = backends.filter(({ type }) => type === 'simulator').map(({ health }) => health.state)
    assert.deepEqual(states, ['closed', 'closed'])
  })

  test('a chain goes on behind a model whose name asks for a fault', async () => {
    const told = await play(pair, 'chat', 'sim/fault-503|test/echo', false, {})
    assert.deepEqual([told.seen, told.headers.get('x-gateway-model')], ['200, complete', 'test/echo'])
  })
})

describe('a real model', () => {
  const ask = (at: TestGateway, key: string | null, stream: boolean) =>
    at.ask(SURFACES.chat.path, { key, headers: { 'x-fault': '503' }, body: { ...SURFACES.chat.body, stream } })

  test('of a key is left alone, with a warning', async () => {
    for (const stream of [false, true]) {
      const sent = gateway.upstream.count()
      const told = await ask(gateway, gateway.key, stream)
      assert.deepEqual([told.status, told.headers.get('x-gateway-warnings')], [200, TOLD])
      assert.equal(gateway.upstream.count(), sent + 1)
      const row = await gateway.log(told.headers.get('x-request-id')!)
      const { path, action, reason } = FAULT_IGNORED
      assert.deepEqual([row.fault, row.warnings], [null, [{ path, action, reason, target: null }]])
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

  test('in single-user mode is called itself at the attempts that no fault was asked for', async () => {
    const config = { failure_handling: { enabled: true, min_retry_wait: 0.01 } }
    await using single = await startTestGateway({ config, flags: { 'disable-auth': true } })
    const headers = { 'x-fault': '503', 'x-fault-attempt': '1' }
    const told = await single.ask(SURFACES.chat.path, { key: null, headers, body: SURFACES.chat.body })
    assert.deepEqual([told.status, told.headers.get('x-gateway-attempts')], [200, '2'])
    assert.equal(single.upstream.count(), 1)
  })
})

/** Without keys there is nothing to fund. */
async function startSingleUser(): Promise<TestGateway> {
  return startTestGateway({ flags: { 'disable-auth': true } })
}
