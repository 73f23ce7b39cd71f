import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { ATTEMPTS_MAX, CLAIM_MS, RETRY_PAUSES_MS } from '#billing/alert-delivery.ts'
import { raiseBackendAlerts } from '#billing/backend-alerts.ts'
import { createMailer } from '#outbound/mail.ts'
import { periodStarts } from '#ledger/periods.ts'
import { requestRow, startTestbed, type Testbed } from '#control-plane/testbed.ts'
import { Outbound } from '#outbound/outbound.ts'

const DAY_MS = 86_400_000
const USD = 1_000_000_000n

interface Receiver {
  readonly url: string
  readonly got: { headers: Record<string, string>; body: string }[]
  status: number
  close(): void
}

async function startReceiver(): Promise<Receiver> {
  const receiver = { got: [] as Receiver['got'], status: 200 }
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    receiver.got.push({ headers: request.headers as Record<string, string>, body })
    response.writeHead(receiver.status, { location: '/elsewhere' }).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return Object.assign(receiver, { url, close: () => void server.close() })
}

interface Rig {
  readonly bed: Testbed
  readonly clock: { nowMs: number }
  readonly hook: Receiver
  /** Spends this much of the account's money, in USD cents. */
  spend(cents: bigint): Promise<void>
  /** One round: what is due is raised and sent. */
  round(): Promise<void>
  manage(method: string, path: string, body?: object): ReturnType<Testbed['ask']>
  readonly accountId: string
}

async function rigged(work: (rig: Rig) => Promise<void>): Promise<void> {
  const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }
  const now = () => clock.nowMs
  const hook = await startReceiver()
  const outbound = new Outbound({ allowPrivate: () => ['127.0.0.0/8'] })
  const bed = await startTestbed({ now }, { outbound })
  try {
    const account = await bed.accounts.create({
      email: 'a@example.com',
      mode: 'prepaid',
      creditNano: 100n * USD,
      actor: 'test',
    })
    const { plaintext } = await bed.keys.create({ name: 'm', accountId: account.id, kind: 'management' })
    let requests = 0
    await work({
      bed,
      clock,
      hook,
      accountId: account.id,
      manage: (method, path, body) => bed.ask(method, path, { key: plaintext, ...(body && { body }) }),
      async spend(cents) {
        const requestId = `req_${++requests}`
        const nano = cents * (USD / 100n)
        const ask = { requestId, accountId: account.id, keyId: null, wantNano: nano, floorNano: nano }
        // The testbed's ledger runs on the machine's clock; budgets are told of the test's.
        const starts = periodStarts(clock.nowMs)
        const held = { ...ask, nowMs: clock.nowMs, expiresMs: clock.nowMs + DAY_MS, ...starts }
        const result = await bed.store.execute('reserve', held)
        assert.ok(result.granted)
        const { flatten } = await import('#store/request-columns.ts')
        const row = flatten(requestRow({ request_id: requestId, account_id: account.id }))
        const own = { requestId, accountId: account.id, keyId: null, costNano: nano, nowMs: clock.nowMs }
        await bed.store.execute('settle', { ...own, row, ...starts })
      },
      async round() {
        await bed.billing.alerts.evaluate()
        await bed.billing.alerts.deliver()
      },
    })
  } finally {
    await bed.close()
    hook.close()
  }
}

function checkSignature({ headers, body }: Receiver['got'][number], secret: string): void {
  const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-trivium-signature']!)!
  assert.equal(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'), digest)
}

test('R98: 50, 80 and 100 % of a budget are told once each, signed; the next period and a raise tell again', () =>
  rigged(async ({ hook, clock, spend, round, manage, bed, accountId }) => {
    const settings = (await manage('PATCH', '/api/v1/alert-settings', { webhook_url: hook.url })).json
    const wish = { max_usd: '1', period: 'daily', hard: false }
    const { id } = (await manage('POST', '/api/v1/budgets', wish)).json
    await spend(49n)
    await round()
    assert.equal(hook.got.length, 0)
    for (const cents of [2n, 30n, 20n]) {
      await spend(cents)
      // Whoever looks at the same time, on this node or another, raises it once.
      await Promise.all([round(), round(), round()])
    }
    await spend(10n)
    await round()
    assert.equal(hook.got.length, 3)
    const told = hook.got.map(({ body }) => JSON.parse(body))
    assert.deepEqual(
      told.map(({ scope, threshold, spent, max, period, reset_at }) => [
        scope,
        threshold,
        spent,
        max,
        period,
        reset_at,
      ]),
      [
        ['account', 50, '0.51', '1', 'daily', '2026-11-21T00:00:00.000Z'],
        ['account', 80, '0.81', '1', 'daily', '2026-11-21T00:00:00.000Z'],
        ['account', 100, '1.01', '1', 'daily', '2026-11-21T00:00:00.000Z'],
      ],
    )
    for (const got of hook.got) checkSignature(got, settings.webhook_secret)
    assert.equal(new Set(hook.got.map(({ headers }) => headers['x-trivium-event'])).size, 3)
    await manage('PATCH', `/api/v1/budgets/${id}`, { max_usd: '2' })
    await round()
    assert.equal(hook.got.length, 4, 'raising arms again: 1.11 of 2 is more than half')
    clock.nowMs += DAY_MS
    await round()
    assert.equal(hook.got.length, 4)
    await spend(100n)
    await round()
    assert.equal(JSON.parse(hook.got.at(-1)!.body).reset_at, '2026-11-22T00:00:00.000Z')
    assert.equal(hook.got.length, 5)
    const { data } = (await manage('GET', '/v1/me/alerts')).json
    assert.equal(data.length, 5)
    const stranger = await bed.accounts.create({ email: 'b@example.com', mode: 'prepaid', actor: 'test' })
    assert.notEqual(stranger.id, accountId)
    const { plaintext } = await bed.keys.create({ name: 's', accountId: stranger.id })
    assert.deepEqual((await bed.ask('GET', '/v1/me/alerts', { key: plaintext })).json.data, [])
  }))

test('R98: a balance that is low is told once until it is credited again', () =>
  rigged(async ({ hook, spend, round, manage, bed, accountId }) => {
    await manage('PATCH', '/api/v1/alert-settings', { webhook_url: hook.url, balance_below: '99' })
    await spend(50n)
    await round()
    assert.equal(hook.got.length, 0)
    await spend(60n)
    await round()
    await spend(1n)
    await round()
    assert.equal(hook.got.length, 1)
    assert.deepEqual(JSON.parse(hook.got[0]!.body).below, '99')
    await bed.accounts.credit(accountId, { amountNano: USD, actor: 'test' })
    await round()
    assert.equal(hook.got.length, 1)
    await spend(200n)
    await round()
    assert.equal(hook.got.length, 2)
  }))

test('S29: a webhook that fails is tried a bounded number of times, and a redirect is not followed', () =>
  rigged(async ({ hook, clock, spend, round, manage }) => {
    await manage('PATCH', '/api/v1/alert-settings', { webhook_url: hook.url, thresholds: [50] })
    await manage('POST', '/api/v1/budgets', { max_usd: '1', hard: false })
    await spend(60n)
    hook.status = 302
    await round()
    assert.equal(hook.got.length, 1)
    hook.status = 500
    for (const [at, pauseMs] of RETRY_PAUSES_MS.entries()) {
      clock.nowMs += pauseMs - 1
      await round()
      assert.equal(hook.got.length, at + 1, 'not before its pause')
      clock.nowMs += 1
      await round()
      assert.equal(hook.got.length, at + 2)
    }
    clock.nowMs += CLAIM_MS + DAY_MS
    await round()
    assert.equal(hook.got.length, ATTEMPTS_MAX)
    assert.equal(new Set(hook.got.map(({ headers }) => headers['x-trivium-event'])).size, 1)
    const times = hook.got.map(({ headers }) => headers['x-trivium-signature']!.split(',')[0])
    assert.equal(new Set(times).size, ATTEMPTS_MAX, 'each attempt is signed with its own time')
  }))

test('S29: a webhook goes to public addresses only, and a rotated secret signs at once', () =>
  rigged(async ({ hook, manage, bed }) => {
    const before = (await manage('GET', '/api/v1/alert-settings')).json.webhook_secret
    const after = (await manage('PATCH', '/api/v1/alert-settings', { rotate_secret: true })).json.webhook_secret
    assert.notEqual(before, after)
    for (const secret of [before, after]) assert.match(secret, /^whsec_[0-9a-f]{64}$/)
    const { rows } = { rows: await bed.store.read.selectFrom('alert_settings').selectAll().execute() }
    assert.ok(!JSON.stringify(rows).includes(after))
    const guarded = await startTestbed()
    try {
      const account = await guarded.accounts.create({ email: 'g@example.com', mode: 'prepaid', actor: 'test' })
      const { plaintext: key } = await guarded.keys.create({ name: 'm', accountId: account.id, kind: 'management' })
      for (const webhook_url of [
        hook.url,
        'http://169.254.169.254/latest',
        'http://[::1]:8080/',
        'http://2130706433/',
        'http://user:pass@example.com/',
        'file:///etc/passwd',
        'ftp://example.com/',
        'http://metadata.internal/',
      ]) {
        const told = await guarded.ask('PATCH', '/api/v1/alert-settings', { key, body: { webhook_url } })
        assert.equal(told.status, 400, webhook_url)
      }
      // A name that stands for a private address is refused where it is connected to.
      const outbound = new Outbound({
        allowPrivate: () => [],
        resolve: async () => [{ address: '127.0.0.1', family: 4 }],
      })
      const port = new URL(hook.url).port
      const signal = AbortSignal.timeout(5000)
      const result = await outbound.post(`http://rebound.example:${port}/hook`, { body: '{}', headers: {}, signal })
      assert.equal(result.kind, 'forbidden')
      assert.equal(hook.got.length, 0)
    } finally {
      await guarded.close()
    }
  }))

test('R98: the operator is told of a backend that fails and of a refused credential, once a day each', () =>
  rigged(async ({ bed, clock, hook, round }) => {
    const key = bed.masterKey
    await bed.ask('PATCH', '/api/v1/alert-settings', { key, body: { webhook_url: hook.url } })
    const backends = [
      { id: 'good', state: 'closed', credentials: [{ index: 0, trouble: null }] },
      { id: 'bad', state: 'open', credentials: [{ index: 0, trouble: 'refused' }] },
    ] as const
    const { alerts } = bed.billing
    for (let time = 0; time < 3; time++) await raiseBackendAlerts(alerts, backends, clock.nowMs)
    await round()
    const told = hook.got.map(({ body }) => JSON.parse(body)).map(({ type, backend }) => `${type} ${backend}`)
    assert.deepEqual(told.toSorted(), ['backend_open bad', 'upstream_auth_failed bad'])
    const { data } = (await bed.ask('GET', '/api/admin/alerts', { key })).json
    assert.equal(data.length, 2)
    assert.equal(await raiseBackendAlerts(alerts, backends, clock.nowMs + DAY_MS), 2)
  }))

test('R98: an alert goes out by mail through the mail server that is named', async () => {
  const lines: string[] = []
  const server = createTcpServer((socket) => {
    let inData = false
    socket.write('220 test\r\n')
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().split('\r\n').filter(Boolean)) {
        lines.push(line)
        if (inData) {
          if (line !== '.') continue
          inData = false
          socket.write('250 taken\r\n')
        } else if (line === 'DATA') {
          inData = true
          socket.write('354 go on\r\n')
        } else socket.write(line === 'QUIT' ? '221 bye\r\n' : '250 fine\r\n')
      }
    })
    socket.on('error', () => {})
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const send = createMailer(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, 'gateway@example.com')!
  await send({ to: 'you@example.com', subject: 'Trivium: budget_threshold', text: 'threshold: 50' })
  server.close()
  assert.ok(lines.includes('RCPT TO:<you@example.com>'))
  assert.ok(lines.some((line) => line.includes('threshold: 50')))
})
