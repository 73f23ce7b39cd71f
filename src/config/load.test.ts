import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isReferenceLoaded } from '#catalog/reference.ts'
import { ConfigError, loadConfig, type LoadedConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-load-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

interface Given {
  readonly yaml?: string
  readonly flags?: Record<string, unknown>
  readonly env?: Record<string, string>
  readonly dotEnv?: string
}

/** Loads in a fresh working directory with `config.yaml` and `.env` as given. */
function load({ yaml, flags = {}, env = {}, dotEnv }: Given): LoadedConfig {
  const cwd = join(folder, String(folders++))
  mkdirSync(cwd)
  if (yaml !== undefined) writeFileSync(join(cwd, 'config.yaml'), yaml)
  if (dotEnv !== undefined) writeFileSync(join(cwd, '.env'), dotEnv)
  return loadConfig({ flags, env, cwd })
}

function refusal(given: Given): readonly string[] {
  try {
    load(given)
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError, String(thrown))
    return thrown.lines
  }
  assert.fail('the configuration was accepted')
}

const BACKENDS = `backends:
  replay-chat:     { type: openai_compatible, api_url: "http://127.0.0.1:9/v1", api_key: replay, protocols: [openai-chat] }
  replay-messages: { type: anthropic, api_url: "http://127.0.0.1:9", api_key: replay }
  replay-converse: { type: bedrock, region: us-east-1, api_url: "http://127.0.0.1:9", access_key_id: AKIAREPLAY, secret_access_key: replay }
models:
  - { id: judge-chat, vendor: openai, context_window: 1000000, max_output: 128000, capabilities: [tools, vision, json_schema, reasoning, audio, pdf], price: { input: 1, output: 2, cache_read: 0.1, cache_write: 1.25 } }
  - { id: judge-embed, vendor: openai, context_window: 8192, max_output: 0, capabilities: [embeddings], price: { input: 0.1, output: 0 } }
routes:
  - { model: judge-chat, backend: replay-chat, upstream_model: judge-chat }
`

test('a file in the shape of the judge loads, exactly, without touching the reference data', () => {
  const { settings, warnings } = load({ yaml: BACKENDS, flags: { 'disable-auth': true, port: '9001' } })
  assert.equal(isReferenceLoaded(), false)
  assert.equal(settings.port, 9001)
  assert.equal(settings.billingMode, 'off')
  assert.equal(settings.catalog.backends['replay-chat']?.type, 'openai-compatible')
  assert.deepEqual(settings.catalog.backends['replay-chat']?.credentials, ['replay'])
  assert.equal(settings.catalog.backends['replay-converse']?.secretAccessKey, 'replay')
  assert.equal(settings.catalog.models[0]?.price?.cacheRead, 100_000n)
  assert.equal(settings.catalog.models[1]?.maxOutput, null)
  assert.deepEqual(warnings, [
    'backends.replay-converse: no model is routed to it; add routes: or backends.replay-converse.models',
  ])
})

test('JSON is YAML', () => {
  const file = {
    backends: { kit: { type: 'gemini', api_url: 'http://127.0.0.1:9', api_key: 'k', protocols: ['gemini'] } },
    models: [
      {
        id: 'g',
        vendor: 'google',
        context_window: 10,
        max_output: 5,
        capabilities: [],
        price: { input: '0.1', output: 2 },
      },
    ],
    routes: [{ model: 'g', backend: 'kit', upstream_model: 'scripted' }],
  }
  const { settings } = load({ yaml: JSON.stringify(file, null, 2) })
  assert.equal(settings.catalog.routes[0]?.upstreamModel, 'scripted')
  assert.equal(settings.catalog.models[0]?.price?.input, 100_000n)
})

test('R112: the four blocks of the seed load with the key from the environment', () => {
  const yaml = `backends:
  openrouter:
    type: openrouter
default_backend: openrouter
model_aliases:
  - pattern: "^gpt-(.*)"
    replacement: "openrouter:openai/gpt-\\\\1"
identity:
  user_agent:
    mode: override
    override_value: "MyApp/1.0.0"
`
  const { settings, providersFound, warnings } = load({ yaml, env: { OPENROUTER_API_KEY: 'sk-or-1' } })
  assert.deepEqual(
    warnings.filter((line) => !line.endsWith('not yet in effect')),
    [],
  )
  assert.deepEqual(settings.catalog.backends['openrouter']?.credentials, ['sk-or-1'])
  assert.equal(settings.catalog.backends['openrouter']?.offersReference, true)
  assert.deepEqual(settings.routing.modelAliases, [{ pattern: '^gpt-(.*)', replacement: 'openrouter:openai/gpt-\\1' }])
  assert.equal(settings.routing.defaultBackend, 'openrouter')
  assert.deepEqual(settings.catalog.backends['openrouter']?.identity.userAgent, { from: [], value: 'MyApp/1.0.0' })
  assert.deepEqual(providersFound, [{ name: 'openrouter', env: 'OPENROUTER_API_KEY' }])
})

test('defaults stand when nothing is said', () => {
  const { settings, sources } = load({})
  assert.equal(settings.host, '127.0.0.1')
  assert.equal(settings.port, 8000)
  assert.match(settings.dataDir, /data$/)
  assert.equal(settings.billingMode, 'prepaid')
  assert.deepEqual(settings.timeouts, {
    connectMs: 10_000,
    ttftMs: 60_000,
    streamIdleMs: 30_000,
    totalMs: 600_000,
    requestMs: 120_000,
  })
  assert.deepEqual(settings.reservation, { minOutputTokens: 256, defaultMaxOutput: 32_768 })
  assert.deepEqual(settings.limits, {
    bodyBytesMax: 32 * 2 ** 20,
    upstreamBodyBytesMax: 64 * 2 ** 20,
    eventBytesMax: 16 * 2 ** 20,
    jsonDepthMax: 128,
  })
  assert.equal(sources['server.port'], 'default')
})

test('R112: flag > environment > file > default, leaf by leaf', () => {
  const yaml = 'server: { port: 9000, host: 127.0.0.3 }\ntimeouts: { ttft_timeout: 1.5, request_timeout: 7 }\n'
  const env = { APP_PORT: '9001', PROXY_TIMEOUT: '8' }
  const file = load({ yaml })
  assert.equal(file.settings.port, 9000)
  assert.equal(file.settings.timeouts.ttftMs, 1500)
  const both = load({ yaml, env })
  assert.equal(both.settings.port, 9001)
  assert.equal(both.settings.host, '127.0.0.3')
  assert.equal(both.settings.timeouts.requestMs, 8000)
  const all = load({ yaml, env, flags: { port: '9002', dataDir: 'elsewhere' } })
  assert.equal(all.settings.port, 9002)
  assert.match(all.settings.dataDir, /elsewhere$/)
  assert.deepEqual(
    ['server.port', 'server.host', 'timeouts.request_timeout', 'timeouts.total_timeout', 'server.data_dir'].map(
      (path) => all.sources[path],
    ),
    ['flag', 'file', 'env', 'default', 'flag'],
  )
})

test('.env is read, the real environment wins', () => {
  const { settings } = load({ dotEnv: 'APP_PORT=7001\nLOG_LEVEL=debug\n', env: { APP_PORT: '7002' } })
  assert.equal(settings.port, 7002)
  assert.equal(settings.logLevel, 'debug')
})

test('the file is found by flag, variable or place', () => {
  const other = join(folder, 'other.yaml')
  writeFileSync(other, 'server: { port: 1111 }\n')
  assert.equal(load({ yaml: 'server: { port: 2222 }\n' }).settings.port, 2222)
  assert.equal(load({ yaml: 'server: { port: 2222 }\n', env: { CONFIG_FILE: other } }).settings.port, 1111)
  assert.equal(load({ flags: { config: other } }).settings.configFile, other)
  const cwd = join(folder, 'nested')
  mkdirSync(join(cwd, 'config'), { recursive: true })
  writeFileSync(join(cwd, 'config', 'config.yaml'), 'server: { port: 3333 }\n')
  assert.equal(loadConfig({ flags: {}, env: {}, cwd }).settings.port, 3333)
  assert.match(refusal({ flags: { config: 'missing.yaml' } })[0]!, /missing\.yaml: cannot be read: no such file/)
})

test('booleans accept eight words and nothing else', () => {
  for (const word of ['1', 'true', 'YES', 'on'])
    assert.equal(load({ env: { DISABLE_AUTH: word } }).settings.disableAuth, true)
  for (const word of ['0', 'False', 'no', 'off']) {
    assert.equal(load({ env: { DISABLE_AUTH: word } }).settings.disableAuth, false)
  }
  assert.deepEqual(refusal({ env: { DISABLE_AUTH: 'maybe' } }), [
    'DISABLE_AUTH: expected one of 1, true, yes, on, 0, false, no, off, got "maybe"',
  ])
})

test('faults of text values name the variable or flag, and never a secret', () => {
  assert.deepEqual(refusal({ env: { APP_PORT: 'abc' } }), ['APP_PORT: expected integer, got "abc"'])
  assert.deepEqual(refusal({ flags: { port: '70000' } }), ['--port: expected a port (0 to 65535)'])
  assert.deepEqual(refusal({ env: { PROXY_TIMEOUT: 'soon' } }), ['PROXY_TIMEOUT: expected seconds, got "soon"'])
  assert.deepEqual(refusal({ env: { OPENAI_TIMEOUT: '-1' } }), ['OPENAI_TIMEOUT: expected seconds, got "-1"'])
  assert.deepEqual(refusal({ env: { LOG_LEVEL: 'loud' } }), [
    'LOG_LEVEL: expected fatal, error, warn, info, debug, trace or silent',
  ])
  const url = refusal({ env: { DATABASE_URL: 'mysql://u:hunter2@h/db' } })
  assert.deepEqual(url, ['DATABASE_URL: expected a postgres:// URL'])
})

test('GATEWAY_URL is an absolute root without path', () => {
  assert.equal(load({ env: { GATEWAY_URL: 'https://gw.example.com/' } }).settings.gatewayUrl, 'https://gw.example.com')
  for (const bad of ['gw.example.com', 'https://gw.example.com/v1', 'ftp://gw', 'https://u:p@gw', 'https://gw/?a=1']) {
    assert.match(
      refusal({ env: { GATEWAY_URL: bad } })[0]!,
      /^GATEWAY_URL: expected an absolute http\(s\) URL without path/,
    )
  }
})

test('without authentication only a loopback address is allowed', () => {
  assert.equal(load({ flags: { 'disable-auth': true } }).settings.host, '127.0.0.1')
  assert.equal(load({ flags: { 'disable-auth': true, host: 'localhost' } }).settings.host, 'localhost')
  assert.equal(load({ flags: { host: '0.0.0.0' } }).settings.host, '0.0.0.0')
  assert.match(
    refusal({ flags: { disableAuth: true, host: '0.0.0.0' } })[0]!,
    /^--host: "0\.0\.0\.0" is not a loopback address, which --disable-auth requires/,
  )
  assert.match(refusal({ yaml: 'auth: { disable_auth: true }\n', env: { APP_HOST: '10.0.0.1' } })[0]!, /^APP_HOST:/)
})

test('R115: unknown top level: error with suggestion; unknown nested: warning; wrong type: error with path', () => {
  assert.deepEqual(refusal({ yaml: 'backend:\n  openai: {}\n' }), ['backend: unknown setting; did you mean backends?'])
  const nested = load({ yaml: 'backends: { openai: { api_key: k, tiemout: 3 } }\n' })
  assert.deepEqual(nested.warnings, ['backends.openai.tiemout: unknown setting, ignored'])
  assert.deepEqual(refusal({ yaml: 'backends: { openrouter: { timeout: soon } }\nmodels: 3\n' }), [
    'backends.openrouter.timeout: expected number',
    'models: expected list',
  ])
  assert.deepEqual(refusal({ yaml: 'routes: [ { backend: openai } ]\n' }), [
    'routes[0].model: missing, expected string',
  ])
})

test('every top-level key of R112 is accepted', () => {
  const blocks = ['identity', 'free_tier', 'routing', 'failure_handling', 'usage_tracking', 'alerts', 'portal']
  const yaml = [...blocks, 'auth', 'groups', 'timeouts', 'billing', 'logging', 'cors', 'failover_routes', 'thinking']
    .map((key) => `${key}: {}`)
    .concat(['routes', 'models', 'model_aliases', 'tiers', 'budgets'].map((key) => `${key}: []`))
    .join('\n')
  assert.deepEqual(load({ yaml: `${yaml}\nbackends:\n` }).warnings, [])
})

test('a type is a preset, is spelled with _ or -, and may be the name of the backend', () => {
  const { settings } = load({ yaml: 'backends: { deepseek: { api_key: k }, mine: { type: LM_Studio } }\n' })
  assert.equal(settings.catalog.backends['deepseek']?.type, 'deepseek')
  assert.equal(settings.catalog.backends['mine']?.type, 'lmstudio')
  assert.deepEqual(refusal({ yaml: 'backends: { my-own-server: {}, opnai: { type: opnai } }\n' }), [
    'backends.my-own-server.type: missing, and "my-own-server" is no built-in provider',
    'backends.opnai.type: unknown type "opnai"; did you mean openai?',
  ])
  assert.deepEqual(refusal({ yaml: 'backends: { mine: { type: openai-compatible } }\n' }), [
    'backends.mine.api_url: missing, and type openai-compatible has no default',
  ])
})

test('routes must name what exists', () => {
  const yaml = `${BACKENDS}  - { model: judge-chatt, backend: replay-chat }
  - { model: judge-chat, backend: replay-chatt }
  - { model: judge-chat, backend: replay-chat, protocols: [gemini] }
`
  assert.deepEqual(refusal({ yaml }), [
    'routes[1].model: unknown model "judge-chatt"; did you mean judge-chat?',
    'routes[2].backend: unknown backend "replay-chatt"; did you mean replay-chat?',
    'routes[3].protocols: backend replay-chat does not speak gemini (it speaks openai-chat)',
  ])
})

test('names that would mean two things are refused', () => {
  const model = '{ id: twice, vendor: x, context_window: 1, capabilities: [], price: { input: 1, output: 1 } }'
  const yaml = `backends: { twice: { type: ollama, models: [a] }, "a:b": { type: ollama, models: [b] }, auto: { type: ollama, models: [c] } }
models: [ ${model}, ${model} ]
default_backend: nowhere
`
  assert.deepEqual(refusal({ yaml }), [
    'models[1].id: "twice" is already defined by models[0]',
    'backends.twice: a backend must not be named like a model',
    'backends.a:b: a backend\'s name must not contain ":", "/" or white space',
    'backends.auto: this name is reserved',
    'default_backend: unknown backend "nowhere"; configured: twice, a:b, auto',
  ])
})

test('default_backend is accepted in both places unless they differ (C11)', () => {
  const inside = load({
    yaml: 'backends: { openai: { api_key: k }, default_backend: openai, reasoning_injection_probability: 0.5 }\n',
  })
  assert.equal(inside.settings.routing.defaultBackend, 'openai')
  assert.equal(inside.settings.hybrid.reasoningInjectionProbability, 0.5)
  assert.deepEqual(
    refusal({ yaml: 'default_backend: a\nbackends: { openai: { api_key: k }, default_backend: openai }\n' }),
    ['default_backend: "a" conflicts with backends.default_backend "openai"'],
  )
})

test('prices are exact or refused', () => {
  const priced = (price: string): Given => ({
    yaml: `backends: { o: { type: ollama } }\nmodels: [ { id: m, capabilities: [tools], price: ${price} } ]\nroutes: [ { model: m, backend: o, price_override: { input: 0.000001, output: "3.141592" } } ]\n`,
  })
  const { catalog } = load(
    priced(
      '{ input: 0.1, output: "0.3", cache_read: 1e-6, image: 0.000000000001, tiers: [ { above_input_tokens: 200000, input: 0.2 } ] }',
    ),
  ).settings
  assert.equal(catalog.models[0]?.price?.input, 100_000n)
  assert.equal(catalog.models[0]?.price?.output, 300_000n)
  assert.equal(catalog.models[0]?.price?.cacheRead, 1n)
  assert.equal(catalog.models[0]?.price?.image, 1n)
  assert.deepEqual(
    catalog.models[0]?.price?.tiers.map((tier) => [tier.aboveInputTokens, tier.input, tier.output]),
    [[200_000, 200_000n, 300_000n]],
  )
  assert.equal(catalog.routes[0]?.price?.input, 1n)
  assert.equal(catalog.routes[0]?.price?.output, 3_141_592n)
  assert.deepEqual(refusal(priced('{ input: 0.0000001, output: -1 }')), [
    'models[0].price.input: expected a decimal price with at most 6 digits behind the point',
    'models[0].price.output: a price cannot be negative',
  ])
  assert.deepEqual(refusal(priced('{ input: 1 }')), ['models[0].price.output: missing'])
})

test('keys: numbered ones rotate and win, the environment speaks for the backend of the same name only', () => {
  const env = { OPENAI_API_KEY: 'plain', OPENAI_API_KEY_2: 'two', OPENAI_API_KEY_10: 'ten', OPENAI_API_KEY_1: 'one' }
  const own = load({ yaml: 'backends: { openai: { api_key: file } }\n', env })
  assert.deepEqual(own.settings.catalog.backends['openai']?.credentials, ['one', 'two', 'ten'])
  assert.deepEqual(own.warnings, ['OPENAI_API_KEY is ignored because numbered keys (OPENAI_API_KEY_1 …) are set'])
  const other = load({
    yaml: 'backends: { second: { type: openai, api_key: file } }\n',
    env: { OPENAI_API_KEY: 'plain' },
  })
  assert.deepEqual(other.settings.catalog.backends['second']?.credentials, ['file'])
  const borrowed = load({ yaml: 'backends: { second: { type: openai } }\n', env: { OPENAI_API_KEY: 'plain' } })
  assert.deepEqual(borrowed.settings.catalog.backends['second']?.credentials, ['plain'])
  assert.equal(borrowed.settings.catalog.backends['second']?.credentialSource, 'OPENAI_API_KEY')
  const named = load({
    yaml: 'backends: { second: { type: openai, api_key_env: MINE } }\n',
    env: { MINE_1: 'a', MINE_2: 'b' },
  })
  assert.deepEqual(named.settings.catalog.backends['second']?.credentials, ['a', 'b'])
  const none = load({ yaml: 'backends: { openai: {} }\n' })
  assert.deepEqual(none.warnings, ['backends.openai: no key yet; set OPENAI_API_KEY or backends.openai.api_key'])
  assert.equal(none.settings.catalog.backends['openai']?.credentialSource, 'OPENAI_API_KEY')
})

test('provider flags and base URLs', () => {
  const { settings } = load({
    env: {
      OPENROUTER_API_KEY: 'env',
      OPENROUTER_API_BASE_URL: 'http://127.0.0.1:9/api/v1/',
      OPENROUTER_TIMEOUT: '2.5',
    },
    flags: { openrouterApiKey: 'flag' },
  })
  const backend = settings.catalog.backends['openrouter']
  assert.deepEqual(backend?.credentials, ['flag'])
  assert.equal(backend?.apiUrl, 'http://127.0.0.1:9/api/v1')
  assert.equal(backend?.timeouts.requestMs, 2500)
  assert.match(refusal({ env: { OPENAI_API_BASE_URL: 'nowhere' } })[0]!, /^OPENAI_API_BASE_URL: expected an absolute/)
})

test('header values cannot start another header', () => {
  const yaml = 'backends: { openai: { api_key: k, headers: { x-good: v, "bad name": v, x-bad: "a\\r\\nb: c" } } }\n'
  assert.deepEqual(refusal({ yaml }), [
    'backends.openai.headers.bad name: not a header name',
    'backends.openai.headers.x-bad: must not contain control characters',
  ])
})

test('zero config: backends for the keys found, else the simulator', () => {
  const found = load({ env: { ANTHROPIC_API_KEY: 'a', GEMINI_API_KEY: 'g', OLLAMA_API_KEY: 'o' } })
  assert.deepEqual(Object.keys(found.settings.catalog.backends), ['anthropic', 'gemini'])
  assert.deepEqual(found.providersFound, [
    { name: 'anthropic', env: 'ANTHROPIC_API_KEY' },
    { name: 'gemini', env: 'GEMINI_API_KEY' },
  ])
  const nothing = load({})
  assert.deepEqual(Object.keys(nothing.settings.catalog.backends), ['simulator'])
  assert.deepEqual(nothing.providersFound, [])
  // A file that has backends gets exactly these.
  const file = load({ yaml: BACKENDS, env: { OPENAI_API_KEY: 'x' } })
  assert.deepEqual(Object.keys(file.settings.catalog.backends), ['replay-chat', 'replay-messages', 'replay-converse'])
  assert.deepEqual(file.providersFound, [])
})
