import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { type Simulator, startSimulator } from '#simulator/index.ts'
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
    routes: [{ model: 'gpt-5', backend: 'openai', upstream_model: 'sim/tools' }],
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

test('R121: what was never declared is unsupported, and a table is for people', async () => {
  const { code, report } = await check(['gpt-5', '--protocol', 'chat,messages'])
  assert.equal(code, 0, report)
  assert.match(report, /^PROBE +CHAT +MESSAGES$/m)
  assert.match(report, /^forced_tool +pass +pass$/m)
  const unknown = await check(['gpt-55'])
  assert.deepEqual([unknown.code, /did you mean gpt-5\?/.test(unknown.errors)], [1, true])
  assert.equal((await check(['gpt-5', '--protocol', 'smtp'])).code, 2)
})
