import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Catalog } from '#catalog/types.ts'
import { gatewayOf } from '#data-plane/testbed.ts'
import { resolveModel } from './resolve.ts'
import type { Scope } from './scope.ts'
import { PLAIN, type Routing, TABLES } from './testbed.ts'

/** One string, one outcome (R43). */

const scopeOf = (gateway: ReturnType<typeof gatewayOf>, catalog: Catalog, groups: readonly string[]): Scope => {
  const { routing } = gateway.settings
  return { catalog, routing, groups, group: groups[0]!, allowed: null, fallbacks: [], tier: null }
}

/** `backend upstream-model [flags]`, or the code of the refusal. */
function outcome(
  text: string,
  catalog: Catalog,
  routing: Routing,
  groups: readonly string[] = ['default', 'free'],
): string {
  const gateway = gatewayOf(catalog, { routing })
  const scope = scopeOf(gateway, catalog, groups)
  try {
    const found = resolveModel(gateway, scope, text, { isEmbedding: false, alternatives: [] })
    const [route] = found.routes
    const flags = [
      found.thinking && 'thinking',
      found.isPinned && 'pinned',
      found.sort && `sort=${found.sort}`,
      found.group !== 'default' && `group=${found.group}`,
      ...Object.entries(found.parameters).map(([name, value]) => `${name}=${JSON.stringify(value)}`),
      ...found.fallbacks.map((each) => `|${each.model.id}`),
      ...found.warnings.map(({ path, reason }) => `!${path}: ${reason}`),
      found.reasoning && `after=${found.reasoning.model.id}`,
    ]
    return [route!.backend.id, route!.upstreamModel, ...flags.filter(Boolean)].join(' ')
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
}

suite('R43: one string, one outcome', () => {
  for (const [name, [catalog, routing, rows]] of Object.entries(TABLES)) {
    test(name, () => {
      for (const [text, expected] of rows) assert.equal(outcome(text, catalog, routing), expected, text)
    })
  }
})

/** Where the seeds lie, if they do. */
const SEEDS = new URL('../../../../shared/spec/seeds/', import.meta.url)
/** Names of models in prose: of these families, with what may stand around a name of theirs. */
const NAMES = /[\w./:-]*(?:gpt|claude|gemini|llama|mistral|qwen|deepseek)-[\w.:-]*\w(?:\?[\w=&.]*\w)?/g

test('R43: the table has at least 80 strings, those of C4, C7 and C38, and all of the seeds', (context) => {
  const rows = Object.values(TABLES).flatMap(([, , table]) => table.map(([text]) => text))
  const strings = new Set(rows)
  assert.ok(strings.size >= 80, String(strings.size))
  const c4 = ['openai:gpt-4o', 'deepseek-v3.2:free', 'llama3:8b', 'amazon.nova-pro-v1:0', 'openai:custom']
  const c7 = ['kimi-k2-thinking', 'vendor/x-thinking', 'anthropic/claude-3.7-sonnet:thinking']
  const c38 = ['gpt-5-thinking', 'gpt-4o?temperature=0.3']
  for (const text of [...c4, ...c7, ...c38]) assert.ok(strings.has(text), text)
  if (!existsSync(SEEDS)) return context.diagnostic('the seeds are not there: their strings are not looked for')
  const prose = readdirSync(SEEDS).map((name) => readFileSync(new URL(name, SEEDS), 'utf8'))
  const named = new Set(prose.join('\n').match(NAMES))
  assert.ok(named.size >= 25, String(named.size))
  assert.deepEqual(
    [...named].filter((text) => !strings.has(text)),
    [],
  )
})

test('R45: what is unknown is told by its case, with what this key may call', () => {
  const messageOf = (text: string, groups = ['default'], routing: Routing = {}): string => {
    const gateway = gatewayOf(PLAIN, { routing })
    const scope = scopeOf(gateway, PLAIN, groups)
    try {
      resolveModel(gateway, scope, text, { isEmbedding: false, alternatives: [] })
    } catch (error) {
      if (error instanceof GatewayError) return error.message
    }
    throw new Error(`${text} was found`)
  }
  const reject = (text: string) => messageOf(text, ['default'], { vendorPrefixPolicy: 'reject' })
  assert.match(reject('anthropic/claude-opus-4-7'), /here it is called "claude-opus-4-7"/)
  assert.match(messageOf('gpt-40'), /does not exist\. Did you mean "gpt-4o"/)
  assert.match(messageOf('Claude Opus 4.7'), /name that people read\. Did you mean "claude-opus-4-7"/)
  assert.match(messageOf('openai/'), /write model, vendor\/model or backend:model/)
  assert.doesNotMatch(messageOf('gold-onlyy'), /gold-only"\?/)
  assert.match(messageOf('gold-onlyy', ['default', 'gold']), /Did you mean "gold-only"/)
})

test('R37: a pattern cannot hold the gateway up, and the first that matches counts', () => {
  const modelAliases = [
    { pattern: '(a+)+$', replacement: 'gpt-4o' },
    { pattern: '^gpt-4', replacement: 'o3' },
    { pattern: '^gpt-(?P<rest>.*)', replacement: 'openai:\\g<rest>' },
  ]
  const startedAt = performance.now()
  assert.equal(outcome(`${'a'.repeat(40)}b`, PLAIN, { modelAliases }), 'model_not_found')
  // With backtracking it would be hours; the first pattern also loads the engine.
  assert.ok(performance.now() - startedAt < 1000)
  // The result is the replacement alone, and it is not rewritten again.
  assert.equal(outcome('gpt-4o', PLAIN, { modelAliases }), 'openai o3')
  assert.equal(outcome('gpt-5', PLAIN, { modelAliases }), 'openai 5 pinned')
})
