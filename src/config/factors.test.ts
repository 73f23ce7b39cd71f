import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ConfigError, loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'trivium-factors-'))
after(() => rmSync(cwd, { recursive: true, force: true }))

function load(cost: string, charge: string, factor: string) {
  writeFileSync(
    join(cwd, 'config.yaml'),
    `backends: { openai: { api_key: k, cost_factor: ${cost} } }
groups: { default: { charge_factor: ${charge} } }
models: [{ id: m, context_window: 8, price: { input: 1, output: 1 } }]
routes: [{ model: m, backend: openai, factor: ${factor} }]
`,
  )
  return loadConfig({ flags: {}, env: {}, cwd }).warnings
}

test('R93: selling below cost is told to the operator and not refused', () => {
  assert.deepEqual(load('0.9', '0.9', '1'), [])
  assert.deepEqual(load('0.9', '0.9', '0.999999'), [
    'routes: m at openai for group default makes a loss: 0.899999 times the list price is charged and 0.9 times is paid',
  ])
})

test('R93: a factor has at most six digits behind the point and three before it', () => {
  load('999.999999', '999.999999', '0.000001')
  for (const wrong of ['1000', '0.1234567', '-1', '1e3']) assert.throws(() => load(wrong, '1', '1'), ConfigError, wrong)
})
