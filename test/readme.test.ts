import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { configurationPage } from '#cli/configuration-page.ts'
import { OPTIONS, PROVIDER_OPTIONS } from '#config/options.ts'
import { PRESETS } from '#providers/presets.ts'
import { Gateway } from './faults/gateway.ts'
import { ROOT } from './tidy/tree.ts'

/** What the documents use, and what the test puts in its place. */
const DOCUMENT_URL = 'http://127.0.0.1:8000'
const SAMPLE_MS_MAX = 30_000

interface Sample {
  readonly language: string
  readonly code: string
  readonly title: string
}

/** Fenced blocks whose first line says `runnable`. */
function samplesOf(markdown: string): Sample[] {
  return [...markdown.matchAll(/^```(sh|js) runnable\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language!,
    code: code!,
    title: `${language}: ${code!.split('\n')[0]!.slice(0, 90)}`,
  }))
}

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

describe('the samples of README.md run as they stand', () => {
  let gateway: Gateway
  let env: NodeJS.ProcessEnv

  before(async () => {
    // Without provider keys the gateway serves its simulator, as it does for a reader on a bare machine.
    const noKeys = Object.fromEntries(PROVIDER_OPTIONS.map((option) => [option.env, '']))
    gateway = await Gateway.start({ config: {}, env: noKeys })
    const { key } = await gateway.fund('reader@example.com', '5.00')
    env = { ...process.env, TRIVIUM_API_KEY: key, GATEWAY_MASTER_KEY: gateway.masterKey, NO_PROXY: '127.0.0.1' }
    delete env['NODE_TEST_CONTEXT']
  })

  after(() => gateway.stop())

  for (const sample of samplesOf(readme)) {
    test(sample.title, { timeout: SAMPLE_MS_MAX }, async () => {
      const code = sample.code.replaceAll(DOCUMENT_URL, gateway.baseUrl)
      const { status, output, errors } = await runSample(sample.language, code, env)
      assert.equal(status, 0, errors)
      assert.ok(output.trim() !== '', 'it printed nothing')
      assert.doesNotMatch(output, /"error"/)
    })
  }

  test('every protocol has a sample for curl and one for its client library', () => {
    const samples = samplesOf(readme)
    const with_ = (pattern: RegExp): number => samples.filter(({ code }) => pattern.test(code)).length
    for (const path of [/v1\/chat\/completions/, /v1\/messages/, /generateContent \\/]) assert.equal(with_(path), 1)
    for (const library of [/from 'openai'/, /from '@anthropic-ai\/sdk'/, /from '@google\/genai'/]) {
      assert.equal(with_(library), 1)
    }
  })
})

async function runSample(language: string, code: string, env: NodeJS.ProcessEnv) {
  const [command, flags] =
    language === 'sh' ? ['sh', ['-e', '-c', code]] : [process.execPath, ['--input-type=module', '--eval', code]]
  const child = spawn(command as string, flags as string[], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { output: '', errors: '' }
  child.stdout.on('data', (data: Buffer) => (texts.output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (texts.errors += data.toString()))
  const status = await new Promise<number | null>((done, fail) => child.on('close', done).on('error', fail))
  return { status, ...texts }
}

describe('generated tables', () => {
  test('R111: docs/configuration.md is what the tables of the parser say', () => {
    const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')
    assert.equal(cells(page), cells(configurationPage()), 'out of date: npm run docs:configuration')
  })

  test('R111: every flag, variable and place of the parser is on that page', () => {
    const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')
    for (const { env, flag, alsoFlag, path } of OPTIONS) {
      for (const name of [env, flag && `--${flag}`, alsoFlag && `--${alsoFlag}`, path]) {
        if (name !== undefined) assert.ok(page.includes(`\`${name}\``), name)
      }
    }
    for (const place of ['backends.*.api_url', 'models[].price.input', 'model_aliases[].pattern', 'groups.*.public']) {
      assert.ok(page.includes(`\`${place}\``), place)
    }
  })

  test('docs/operations.md lists the variables of every provider', () => {
    holdBlock('docs/operations.md', 'providers', providerTable())
  })
})

/** Compares the block between two marks with what it should be; writes it under TRIVIUM_UPDATE_DOCUMENTS=1. */
function holdBlock(path: string, name: string, table: string): void {
  const file = join(ROOT, path)
  const text = readFileSync(file, 'utf8')
  const block = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  assert.match(text, block)
  const wanted = text.replace(block, (_, start: string, end: string) => `${start}\n${table}\n\n${end}`)
  if (process.env['TRIVIUM_UPDATE_DOCUMENTS'] === '1') writeFileSync(file, wanted)
  else
    assert.equal(cells(text), cells(wanted), `out of date: TRIVIUM_UPDATE_DOCUMENTS=1 npm test -- test/readme.test.ts`)
}

/** Without the padding that the formatter adds to tables. */
const cells = (text: string): string => text.replace(/ *\| */g, '|').replace(/-{3,}/g, '---')

function providerTable(): string {
  const rows = PRESETS.filter(({ envPrefixes }) => envPrefixes.length > 0).map(({ type, label, envPrefixes }) => {
    const variables = PROVIDER_OPTIONS.filter((option) => option.type === type && option.setting === 'api_key')
    assert.equal(variables.length, envPrefixes.length)
    return `| ${label} | \`${type}\` | ${variables.map(({ env }) => `\`${env}\``).join(' or ')} |`
  })
  return ['| provider | type | key |', '| --- | --- | --- |', ...rows].join('\n')
}
