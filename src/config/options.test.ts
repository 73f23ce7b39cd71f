import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { CONFIG_OPTION, OPTIONS, PROVIDER_OPTIONS } from './options.ts'
import { fileSchema } from './schema.ts'
import { nearest } from './suggest.ts'

test('no variable, flag or path is given twice', () => {
  const all = [...OPTIONS, ...PROVIDER_OPTIONS, CONFIG_OPTION]
  for (const field of ['env', 'flag'] as const) {
    const names = all.flatMap((option) => (field in option && option[field] !== undefined ? [option[field]] : []))
    assert.equal(new Set(names).size, names.length, field)
  }
  const flags = all.flatMap((option) => [option.flag, 'alsoFlag' in option ? option.alsoFlag : undefined])
  assert.equal(new Set(flags.filter(Boolean)).size, flags.filter(Boolean).length)
  // A switch to turn something off stands beside the setting that it turns.
  const paths = OPTIONS.map((option) => `${option.path}${option.inverted ? ' off' : ''}`)
  assert.equal(new Set(paths).size, paths.length)
})

test('every path of the table is a place in the file, and every row is described', () => {
  for (const { path, description } of OPTIONS) {
    let place: z.ZodType = fileSchema
    for (const step of path.split('.')) {
      if (place instanceof z.ZodOptional) place = place.unwrap() as z.ZodType
      assert.ok(place instanceof z.ZodObject && step in place.shape, path)
      place = place.shape[step] as z.ZodType
    }
    assert.match(description, /\.$/, path)
  }
})

test('names that the requirements fix', () => {
  const env = new Set([...OPTIONS, ...PROVIDER_OPTIONS].map((option) => option.env))
  const names = `
    GATEWAY_URL GATEWAY_CATALOG_CACHE_SECONDS GATEWAY_CATALOG_ROUTE_GROUPS CATALOG_OVERRIDES_PATH GATEWAY_MASTER_KEY
    DATA_DIR DATABASE_URL APP_HOST APP_PORT PORTAL_PORT API_KEYS DISABLE_AUTH LLM_BACKEND FORCE_MODEL STATIC_ROUTE
    MODEL_ALIASES PROXY_TIMEOUT OPENROUTER_API_KEY OPENROUTER_API_BASE_URL OPENROUTER_TIMEOUT OPENAI_API_KEY
    ANTHROPIC_API_KEY GEMINI_API_KEY APP_USER_AGENT APP_URL APP_TITLE APP_USER_AGENT_MODE APP_URL_MODE APP_TITLE_MODE
    DISABLE_HYBRID_BACKEND DISABLE_FAILURE_HANDLING FAILURE_HANDLING_MAX_SILENT_WAIT USAGE_TRACKING_ENABLED
    STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET SMTP_URL SESSION_SECRET BILLING_CURRENCY SIGNUP_BONUS LOG_LEVEL`
    .trim()
    .split(/\s+/)
  for (const name of names) assert.ok(env.has(name), name)
  const flags = new Set([...OPTIONS, ...PROVIDER_OPTIONS].map((option) => option.flag))
  for (const { alsoFlag } of OPTIONS) flags.add(alsoFlag)
  const spelled = `
    host port data-dir default-backend backend force-model static-route model-alias timeout disable-auth
    identity-user-agent identity-url identity-title disable-hybrid-backend hybrid-backend-repeat-messages
    reasoning-injection-probability hybrid-reasoning-model-timeout hybrid-reasoning-force-initial-turns
    force-context-window thinking-budget disable-failure-handling max-silent-wait total-timeout-budget keepalive-interval
    max-failover-hops min-retry-wait disable-accounting capture-file log-level log anthropic-port
    disable-routing-with-backend-ids disable-routing-with-backend-names disable-routing-with-only-model-names`
    .trim()
    .split(/\s+/)
  for (const flag of spelled) assert.ok(flags.has(flag), flag)
  for (const vendor of ['openai', 'anthropic', 'gemini', 'openrouter']) {
    assert.ok(flags.has(`${vendor}-api-key`) && flags.has(`${vendor}-api-base-url`), vendor)
  }
})

test('the nearest name is found for small slips only', () => {
  assert.equal(nearest('defualt-backend', ['default-backend', 'backend']), 'default-backend')
  assert.equal(nearest('backend', ['backends', 'budgets']), 'backends')
  assert.equal(nearest('completely-different', ['backends', 'budgets']), undefined)
  assert.equal(nearest('ab', ['cd']), undefined)
})
