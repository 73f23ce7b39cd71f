import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { startGateway } from '#main'
import { type Simulator, startSimulator } from '#simulator/index.ts'
import { eventually } from '#test/faults/gateway.ts'
import type { Json } from './gateway.ts'

/** `trivium check-model` (R121): what a model can do, against what the catalog says of it. */

let simulator: Simulator
let folder: string

before(async () => {
  simulator = await startSimulator()
  folder = mkdtempSync(join(tmpdir(), 'trivium-check-test-'))
})
after(async () => {
  await simulator.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})

interface Checked {
  readonly code: number
  readonly report: Json
  readonly errors: string
}

async function check(args: readonly string[], headers: Record<string, string> = {}): Promise<Checked> {
  const config = {
    backends: { openai: { type: 'openai', api_url: `${simulator.url}/v1`, api_key: 'sk-check-0123456789', headers } },
    models: [
      {
        id: 'gpt-5',
        context_window: 100_000,
        max_output: 8000,
        capabilities: ['streaming', 'tools', 'json_mode', 'json_schema', 'reasoning'],
        price: { input: 1, output: 1 },
      },
    ],
    routes: ['default', 'private'].map((group) => ({
      model: 'gpt-5',
      backend: 'openai',
      group,
      upstream_model: 'sim/tools',
    })),
    groups: { private: { public: false } },
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const texts = { out: '', errors: '' }
  const code = await runCli({
    args: ['check-model', ...args],
    env: {},
    cwd: folder,
    out: (text) => void (texts.out += `${text}\n`),
    error: (text) => void (texts.errors += `${text}\n`),
  })
  return { code, report: texts.out.startsWith('{') ? JSON.parse(texts.out) : texts.out, errors: texts.errors }
}

test('R121: what is declared passes on every protocol', async () => {
  const { code, report, errors } = await check(['gpt-5', '--json'])
  assert.ok(report.results, errors)
  const failed = Object.entries(report.results).flatMap(([surface, probes]) =>
    Object.entries(probes as Json).flatMap(([name, result]) =>
      (result as Json).verdict === 'fail' ? [`${surface} ${name}: ${(result as Json).detail}`] : [],
    ),
  )
  assert.deepEqual([code, failed], [0, []], errors)
  assert.deepEqual(Object.keys(report.results), ['chat', 'responses', 'messages', 'gemini'])
  assert.equal(report.results.chat.tool_call.verdict, 'pass')
  assert.equal(report.results.chat.thinking.verdict, 'pass')
  assert.equal(report.results.messages.json_schema.verdict, '-')
  assert.ok(report.cost_usd > 0)
})

test('R121: a stream without usage is a failure, and exit 1', async () => {
  const { code, report } = await check(['gpt-5', '--json', '--protocol', 'chat'], { 'X-Fault': 'no-usage' })
  assert.deepEqual([code, report.ok], [1, false])
  assert.equal(report.results.chat.stream_usage.verdict, 'fail')
  assert.equal(report.results.chat.stream.verdict, 'pass')
})

test('R121: the catalog shows what was found beside what is declared, and a running gateway hears of it', async () => {
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  await check(['gpt-5', '--protocol', 'chat'], { 'X-Fault': 'no-usage' })
  const flags = { port: 0, 'disable-auth': true, 'log-level': 'silent' }
  const gateway = await startGateway({ flags, env: {}, cwd: folder })
  try {
    const listed = async () => {
      const { data } = (await (await fetch(`${gateway.url}/catalog/models`)).json()) as Json
      const found: Json[] = data[0].verified
      return new Map(found.map((each) => [each.protocol, each]))
    }
    const chat = (await listed()).get('chat')!
    assert.deepEqual([chat.route_group, chat.results.tool_call, chat.results.stream_usage], ['default', 'pass', 'fail'])
    // A private group's is written down before it, and shown to nobody.
    const hidden = await check(['gpt-5', '--json', '--protocol', 'gemini', '--group', 'private'])
    assert.equal(hidden.report.results.gemini.chat.verdict, 'pass')
    const { report } = await check(['gpt-5', '--json', '--protocol', 'messages'])
    const messages = await eventually('the catalog shows the check', 5000, async () => (await listed()).get('messages'))
    assert.equal(messages.checked_at, report.checked_at)
    const verdicts = Object.entries<Json>(report.results.messages).map(([name, { verdict }]) => [name, verdict])
    assert.deepEqual(
      Object.entries(messages.results),
      verdicts.filter(([, verdict]) => verdict !== '-'),
    )
    assert.deepEqual((await listed()).get('chat'), chat)
    assert.equal((await listed()).has('gemini'), false)
  } finally {
    await gateway.close()
  }
})

test('R121: what was never declared is unsupported, and a table is for people', async () => {
  const { code, report } = await check(['gpt-5', '--protocol', 'chat,messages'])
  assert.equal(code, 0, report)
  assert.match(report, /^PROBE +CHAT +MESSAGES$/m)
  assert.match(report, /^forced_tool +pass +pass$/m)
  const unknown = await check(['gpt-55'])
  assert.deepEqual([unknown.code, /did you mean gpt-5\?/.test(unknown.errors)], [1, true])
  assert.equal((await check(['gpt-5', '--protocol', 'smtp'])).code, 2)
})
