import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { ConfigError, loadConfig, type LoadedConfig } from './load.ts'

/** Configurations as tests give them: a file in a folder of its own, flags and environment. */

export const folder = mkdtempSync(join(tmpdir(), 'config-features-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

export interface Given {
  readonly file?: Record<string, unknown>
  readonly flags?: Record<string, unknown>
  readonly env?: Record<string, string>
}

/** Two backends with keys, `openai` and `openrouter`, and one model; `file` is laid over them. */
export function load({ file = {}, flags = {}, env = {} }: Given = {}): LoadedConfig {
  const cwd = join(folder, String(folders++))
  mkdirSync(cwd)
  const values = {
    backends: { openai: { api_key: 'k', models: ['gpt-x'] }, openrouter: { api_key: 'k', models: ['a/b'] } },
    models: [{ id: 'gpt-x', price: { input: 1, output: 1 } }],
    ...file,
  }
  writeFileSync(join(cwd, 'config.yaml'), JSON.stringify(values))
  return loadConfig({ flags, env, cwd })
}

export function refusal(given: Given): readonly string[] {
  try {
    load(given)
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError, String(thrown))
    return thrown.lines
  }
  assert.fail('the configuration was accepted')
}

/** The one model of `load`, with more said of it. */
export const model = (rest: object) => ({ models: [{ id: 'gpt-x', price: { input: 1, output: 1 }, ...rest }] })
