import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from './load.ts'

/** Warnings about chains whose members are all on one bill (B11). */

function warningsOf(change: object): readonly string[] {
  const cwd = mkdtempSync(join(tmpdir(), 'trivium-bill-'))
  const backend = (rest: object = {}) => ({ type: 'openai', api_url: 'http://127.0.0.1:1/v1', api_key: 'k', ...rest })
  const config = {
    backends: {
      one: backend({ models: ['a', 'b'] }),
      two: backend({ models: ['c'] }),
      branch: backend({ models: ['d'], billing_domain: 'one' }),
    },
    ...change,
  }
  writeFileSync(join(cwd, 'config.yaml'), JSON.stringify(config))
  const { warnings } = loadConfig({ cwd, env: {}, flags: {} })
  rmSync(cwd, { recursive: true, force: true })
  return warnings.filter((line) => line.includes('bill of'))
}

const chain = (elements: readonly string[]) => ({ failover_routes: { all: { policy: 'ordered', elements } } })
const told = (path: string) => [`${path}: all members are on the bill of "one", and fail together when it is not paid`]

test('B11: a chain on one bill is named, whatever its members are called', () => {
  for (const elements of [
    ['a', 'b'],
    ['a', 'd'],
    ['one:x', 'branch:y'],
    ['a-thinking', 'b:nitro?top_p=1'],
  ])
    assert.deepEqual(warningsOf(chain(elements)), told('failover_routes.all'), elements.join(' '))
  assert.deepEqual(warningsOf({ models: [{ id: 'a', fallbacks: ['b'] }] }), told('models "a".fallbacks'))
})

test('one with another bill, a single member, and one that nobody knows are not', () => {
  for (const elements of [['a', 'c'], ['a'], ['a', 'never-heard-of'], ['one:x', 'two:x']])
    assert.deepEqual(warningsOf(chain(elements)), [], elements.join(' '))
})

test('a break-glass backend on the bill of all others is no help', () => {
  const glass = (use: string) => ({ models: [{ id: 'a', break_glass: [{ use, max_usd: 1 }] }] })
  assert.deepEqual(warningsOf(glass('branch')), [
    'models "a".break_glass: "branch" is on the bill of "one" as all other backends are',
  ])
  assert.deepEqual(warningsOf(glass('two')), [])
  assert.throws(
    () => warningsOf(glass('no')),
    /break_glass\[0\]\.use: unknown backend "no"; configured: one, two, branch/,
  )
})
