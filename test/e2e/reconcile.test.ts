import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { formatUsd, parseUsd } from '#base/money.ts'
import { runCli } from '#cli/program.ts'
import { answerNatively } from '#test/upstream/native.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** What providers charge, held against what was metered (B6). */

const nano = (text: string): bigint => parseUsd(text)!
const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'a' }] }

describe('B6: reconciliation', () => {
  let gateway: TestGateway
  let folder: string
  let today: string
  /** Metered nano-USD by our model. */
  const metered: Record<string, bigint> = {}
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trivium-reconcile-'))
    let sent = 0
    gateway = await startTestGateway({
      always: (received) => {
        const sold = { input: 1_000 + sent++, cacheRead: 0, cacheWrite: 0, output: 300, reasoning: 0 }
        const { body } = answerNatively(received, { text: 'Hello.', sold })!
        return { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      },
    })
    for (let at = 0; at < 6; at++) {
      await gateway.ask('/v1/chat/completions', { body: chat })
      await gateway.ask('/v1/embeddings', { body: { model: MODELS.embedding.id, input: 'a' } })
      await gateway.ask('/v1/messages', { body: { ...chat, model: MODELS.messages.id, max_tokens: 400 } })
    }
    const rows = await gateway.logs(gateway.accountId)
    assert.equal(rows.length, 18)
    for (const row of rows) metered[row.model_id] = (metered[row.model_id] ?? 0n) + nano(row.metered_cost)
    today = rows[0].ts_start.slice(0, 10)
  })
  after(async () => {
    await gateway.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** The provider knows its models by its own names. */
  const invoice = (change: Record<string, (cost: bigint) => bigint> = {}): string =>
    [
      'day,model,cost',
      ...[MODELS.chat, MODELS.embedding].map(
        ({ id, upstream }) => `${today},${upstream},${formatUsd((change[id] ?? ((same) => same))(metered[id]!))}`,
      ),
    ].join('\n')
  const upload = async (csv: string, backend = 'openai') =>
    gateway.ask(`/api/admin/reconciliations?backend=${backend}`, {
      key: gateway.masterKey,
      body: csv,
      headers: { 'content-type': 'text/csv' },
    })
  const alerts = async (): Promise<Json[]> =>
    (await gateway.admin('GET', '/api/admin/alerts')).data.filter((one: Json) => one.type === 'cost_drift')
  const run = async (file: string, args: readonly string[] = []) => {
    const texts = { out: '', errors: '' }
    const code = await runCli({
      args: ['receipts', 'reconcile', '--file', file, ...args],
      env: { GATEWAY_URL: gateway.url, GATEWAY_MASTER_KEY: gateway.masterKey },
      cwd: folder,
      out: (text) => void (texts.out += text),
      error: (text) => void (texts.errors += text),
    })
    return { code, ...texts }
  }

  test('an invoice that is right has no drift, and models of other backends are not in it', async () => {
    const { status, json } = await upload(invoice())
    assert.equal(status, 200)
    assert.deepEqual(
      json.data.map((line: Json) => [line.model, line.drift, line.drift_pct, line.known, line.above_alert]),
      [MODELS.embedding.id, MODELS.chat.id].map((id) => [id, '0', 0, true, false]),
    )
    assert.deepEqual([json.drifting, json.alert_raised, json.complete, json.alert_pct], [0, false, true, 1])
    assert.deepEqual(await alerts(), [])
  })

  test('3 % more for one model is a drift of that model alone, and one alert, however often it is uploaded', async () => {
    const csv = invoice({ [MODELS.chat.id]: (cost) => (cost * 103n) / 100n })
    for (const isFirst of [true, false]) {
      const { json } = await upload(csv)
      const [embedding, chatLine] = json.data
      assert.deepEqual([embedding.drift, embedding.above_alert], ['0', false])
      assert.equal(chatLine.drift_pct, 3)
      assert.equal(nano(chatLine.drift), (metered[MODELS.chat.id]! * 3n) / 100n)
      assert.deepEqual([chatLine.above_alert, json.drifting, json.alert_raised], [true, 1, isFirst])
    }
    const [alert, ...others] = await alerts()
    assert.deepEqual(others, [])
    assert.deepEqual(
      alert.lines.map((line: Json) => [line.backend, line.model, line.drift_pct]),
      [['openai', MODELS.chat.id, 3]],
    )
  })

  test('less than the tolerated percentage, and rounding to the last written place, is no drift to tell', async () => {
    const slight = await upload(invoice({ [MODELS.chat.id]: (cost) => (cost * 1_009n) / 1_000n }))
    assert.deepEqual([slight.json.data[1].above_alert, slight.json.drifting], [false, 0])
    assert.ok(nano(slight.json.data[1].drift) > 0n)
    const cents = await upload(
      `day,model,cost\n${today},${MODELS.chat.upstream},0.05\n${today},${MODELS.embedding.upstream},0.00`,
    )
    assert.equal(metered[MODELS.chat.id]! < 50_000_000n, true)
    assert.deepEqual([cents.json.drifting, cents.json.alert_raised], [0, false])
  })

  test('what only one side knows is a drift: a model that is not charged, and one that was never asked', async () => {
    const { json } = await upload(
      `day,model,cost\n${today},gpt-unheard,1.25\n${today},${MODELS.chat.id},${formatUsd(metered[MODELS.chat.id]!)}`,
    )
    const byModel = Object.fromEntries(json.data.map((line: Json) => [line.model, line]))
    assert.deepEqual([byModel['gpt-unheard'].known, byModel['gpt-unheard'].drift_pct], [false, null])
    assert.equal(byModel[MODELS.embedding.id].drift_pct, -100)
    assert.deepEqual([byModel[MODELS.chat.id].drift, json.drifting], ['0', 2])
  })

  test('the command line: exit 0 when all is well, 1 names the lines', async () => {
    writeFileSync(join(folder, 'right.csv'), invoice())
    for (const flag of ['--of', '--backend']) {
      const right = await run('right.csv', [flag, 'openai', '--json'])
      assert.equal(right.code, 0, `${flag}: ${right.errors}`)
      assert.equal(JSON.parse(right.out).drifting, 0)
    }
    const lines = invoice({ [MODELS.embedding.id]: (cost) => cost * 2n }).split('\n')
    writeFileSync(
      join(folder, 'wrong.csv'),
      lines.map((line, at) => `${line},${at === 0 ? 'backend' : 'openai'}`).join('\n'),
    )
    const wrong = await run('wrong.csv')
    assert.equal(wrong.code, 1)
    assert.match(wrong.out, new RegExp(`openai +${today} +${MODELS.embedding.id} .* 100 +yes`))
    assert.match(wrong.errors, /1 lines differ by more than 1 %/)
    assert.equal((await run('none.csv')).code, 1)
  })

  test('whose invoice it is must be known, and only the master key may ask', async () => {
    assert.equal((await upload(invoice(), 'nobody')).status, 400)
    const nameless = await gateway.ask('/api/admin/reconciliations', { key: gateway.masterKey, body: invoice() })
    assert.match(nameless.json.error.message, /Name the backend; configured: openai/)
    assert.equal((await gateway.ask('/api/admin/reconciliations?backend=openai', { body: invoice() })).status, 403)
    assert.equal((await upload('{"csv": 1}')).status, 400)
    assert.equal((await upload('{')).status, 400)
  })
})
