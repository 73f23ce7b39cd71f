import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NO_LIMITS } from '#limits/types.ts'
import { ConfigError } from './load.ts'
import { PENDING } from './pending.ts'
import { printJson } from './print.ts'
import { type Given, load, model, refusal } from './testbed.ts'

const rule = (pattern: string, replacement = 'openrouter:openai/x') => ({ pattern, replacement })

describe('aliases', () => {
  const file = { model_aliases: [rule('^from-file$')] }

  test('flag, variable and file replace each other and are never merged', () => {
    const flag = '^gpt-(.*)=openrouter:openai/gpt-\\1'
    const env = { MODEL_ALIASES: JSON.stringify([rule('^from-env$')]) }
    const patterns = (given: Given) => load(given).settings.routing.modelAliases.map(({ pattern }) => pattern)
    assert.deepEqual(patterns({ file }), ['^from-file$'])
    assert.deepEqual(patterns({ file, env }), ['^from-env$'])
    assert.deepEqual(patterns({ file, env, flags: { modelAlias: [flag, '^b$=openai:b=c'] } }), ['^gpt-(.*)', '^b$'])
    const both = load({ flags: { modelAlias: ['^b$=openai:b=c'] } })
    assert.deepEqual(both.settings.routing.modelAliases, [{ pattern: '^b$', replacement: 'openai:b=c' }])
    assert.deepEqual(printJson(both)['model_aliases[0].pattern'], { value: '^b$', source: 'flag' })
  })

  test('what is no JSON array of rules in the variable is a warning, and no rule', () => {
    for (const text of ['not json', '{}', '[{"pattern":"a"}]', '["a=b"]']) {
      const { settings, warnings } = load({ file, env: { MODEL_ALIASES: text } })
      assert.deepEqual(settings.routing.modelAliases, [], text)
      assert.ok(
        warnings.some((line) => line.startsWith('MODEL_ALIASES: expected a JSON array')),
        text,
      )
    }
  })

  test('a flag without two sides is refused', () => {
    for (const text of ['abc', '=b', 'a=']) {
      assert.deepEqual(refusal({ flags: { modelAlias: [text] } }), [
        `--model-alias: expected PATTERN=REPLACEMENT, got "${text}"`,
      ])
    }
  })

  test('a pattern that RE2 cannot match names its rule and says why', () => {
    const faults: readonly [string, RegExp][] = [
      ['(', /missing closing \)/],
      ['(?=a)b$', /look-around/],
      ['(?<!a)b$', /look-around/],
      ['(a)\\1$', /back-reference/],
      ['a'.repeat(513), /at most 512/],
    ]
    for (const [pattern, why] of faults) {
      const lines = refusal({ file: { model_aliases: [rule('^ok$'), rule(pattern)] } })
      assert.equal(lines.length, 1)
      assert.match(lines[0]!, /^model_aliases\[1\]\.pattern: /)
      assert.match(lines[0]!, why)
    }
    assert.match(refusal({ flags: { modelAlias: ['(=openai:x'] } })[0]!, /^--model-alias: model_aliases\[0\]/)
  })

  test('both spellings of named groups, and escaped digits, are accepted', () => {
    for (const pattern of ['^(?P<name>.*)$', '^(?<name>.*)$', '^a\\\\1$', 'a'.repeat(511) + '$']) {
      assert.equal(load({ file: { model_aliases: [rule(pattern)] } }).settings.routing.modelAliases.length, 1)
    }
  })

  test('a pattern that drops the tail is hinted at', () => {
    const hints = (pattern: string) =>
      load({ file: { model_aliases: [rule(pattern)] } }).warnings.filter((line) => line.includes('drops'))
    assert.deepEqual(hints('^gpt-4'), [
      'model_aliases[0].pattern: "^gpt-4" drops what follows its match; end it with $ or (.*)',
    ])
    for (const good of ['^gpt-4$', '^gpt-(.*)', '^gpt-(?P<rest>.+)']) assert.deepEqual(hints(good), [], good)
  })

  test('an unknown backend in a replacement is refused; groups, queries and lists are read as such', () => {
    const lines = (replacement: string) => {
      const file = { model_aliases: [rule('^x(.*)', replacement)] }
      try {
        load({ file })
        return []
      } catch (thrown) {
        return (thrown as ConfigError).lines
      }
    }
    assert.deepEqual(lines('opnrouter:openai/x'), [
      'model_aliases[0].replacement: unknown backend "opnrouter"; configured: openai, openrouter',
    ])
    assert.equal(lines('openai:gpt-x|nowhere:y').length, 1)
    assert.equal(lines('hybrid:[openai:gpt-x?temperature=0.9,nowhere:y]').length, 1)
    for (const good of [
      'openrouter:openai/\\1',
      'openrouter.2:a/b',
      '\\1:x',
      'gpt-x:free',
      'a/b:free',
      'openai:gpt-x|openrouter:a/b?top_p=0.5',
      'hybrid:[openrouter:a/b?temperature=0.9,openai:gpt-x?temperature=0.1]',
    ]) {
      assert.deepEqual(lines(good), [], good)
    }
  })
})

describe('selectors', () => {
  test('default backend: the flag has two names, the built-in one is openai where it is configured', () => {
    assert.equal(load({ flags: { backend: 'openrouter' } }).settings.routing.defaultBackend, 'openrouter')
    assert.equal(load({ env: { LLM_BACKEND: 'openrouter' } }).settings.routing.defaultBackend, 'openrouter')
    const plain = load()
    assert.equal(plain.settings.routing.defaultBackend, 'openai')
    assert.deepEqual(printJson(plain)['default_backend'], { value: 'openai', source: 'default' })
    const without = load({ file: { backends: { openrouter: { api_key: 'k', models: ['gpt-x'] } } } })
    assert.equal(without.settings.routing.defaultBackend, null)
    assert.deepEqual(refusal({ flags: { defaultBackend: 'nope' } }), [
      '--default-backend: unknown backend "nope"; configured: openai, openrouter',
    ])
  })

  test('a static route is strictly backend:model', () => {
    assert.equal(load({ flags: { staticRoute: 'openai:gpt-x' } }).settings.routing.staticRoute, 'openai:gpt-x')
    for (const bad of ['gpt-x', 'openai:', ':gpt-x']) {
      assert.deepEqual(refusal({ flags: { staticRoute: bad } }), ['--static-route: expected backend:model'])
    }
    assert.match(refusal({ env: { STATIC_ROUTE: 'no:x' } })[0]!, /^STATIC_ROUTE: unknown backend "no"/)
  })

  test('a forced model may be any selector with a known backend', () => {
    const forced = (text: string) => load({ flags: { forceModel: text } }).settings.routing.forceModel
    for (const text of ['anthropic/claude-3-5-sonnet', 'gpt-x', 'openrouter:a/b?top_p=1'])
      assert.equal(forced(text), text)
    assert.match(refusal({ flags: { forceModel: 'no:x' } })[0]!, /^--force-model: unknown backend "no"/)
  })
})

describe('blocks', () => {
  test('failure handling, hybrid and free tier have the documented defaults', () => {
    const { settings } = load()
    assert.deepEqual(settings.failureHandling, {
      enabled: true,
      maxSilentWaitMs: 30_000,
      totalTimeoutBudgetMs: 90_000,
      keepaliveIntervalMs: 8000,
      maxFailoverHops: 5,
      minRetryWaitMs: 1000,
    })
    assert.deepEqual(settings.hybrid, {
      enabled: true,
      repeatMessages: false,
      reasoningInjectionProbability: 1,
      reasoningForceInitialTurns: 4,
      reasoningModelTimeoutMs: 60_000,
      executionModelTimeoutMs: 120_000,
    })
    assert.deepEqual(settings.rateLimits.freeTier, { rpm: 20, rpd: 50, rpdPaid: 1000, thresholdNano: 10_000_000_000n })
    assert.deepEqual(settings.routing.vendorPrefixPolicy, 'strip')
    assert.equal(settings.routing.upstreamErrorPassthrough, false)
    assert.equal(load({ flags: { disableAuth: true } }).settings.routing.upstreamErrorPassthrough, true)
  })

  test('a switch that turns something off is the opposite of its setting', () => {
    const enabled = (given: Given) => load(given).settings.failureHandling.enabled
    assert.equal(enabled({ flags: { disableFailureHandling: true } }), false)
    assert.equal(enabled({ env: { DISABLE_FAILURE_HANDLING: 'yes' } }), false)
    assert.equal(
      enabled({ env: { DISABLE_FAILURE_HANDLING: 'off' }, file: { failure_handling: { enabled: false } } }),
      true,
    )
    assert.equal(enabled({ file: { failure_handling: { enabled: false } } }), false)
  })

  test('settings of routing may stand at the top level, but not in both places with two values', () => {
    const { settings } = load({ file: { strict_uri_parameters: true, vendor_prefix_policy: 'reject' } })
    assert.deepEqual([settings.routing.strictUriParameters, settings.routing.vendorPrefixPolicy], [true, 'reject'])
    assert.deepEqual(
      refusal({ file: { vendor_prefix_policy: 'reject', routing: { vendor_prefix_policy: 'strip' } } }),
      ['vendor_prefix_policy: "reject" conflicts with routing.vendor_prefix_policy "strip"'],
    )
  })

  test('wrong values are refused with their place', () => {
    assert.deepEqual(refusal({ file: { routing: { reasoning_injection_probability: 1.5 } } }), [
      'routing.reasoning_injection_probability: expected 0 to 1',
    ])
    assert.deepEqual(refusal({ flags: { reasoningInjectionProbability: 'x' } }), [
      '--reasoning-injection-probability: expected number, got "x"',
    ])
    assert.match(
      refusal({ file: { routing: { strategy: 'best' } } })[0]!,
      /^routing\.strategy: expected one of weighted_random/,
    )
    assert.deepEqual(refusal({ file: { free_tier: { threshold: -1 } } }), [
      'free_tier.threshold: expected a decimal number that is not negative',
    ])
  })

  test('a bad cache time is a warning and the default (R49)', () => {
    const { settings, warnings } = load({ env: { GATEWAY_CATALOG_CACHE_SECONDS: 'soon' } })
    assert.equal(settings.portal.catalogCacheSeconds, 60)
    assert.ok(warnings.includes('GATEWAY_CATALOG_CACHE_SECONDS: expected seconds, got "soon"; the default is used'))
    assert.equal(load({ env: { GATEWAY_CATALOG_CACHE_SECONDS: '0' } }).settings.portal.catalogCacheSeconds, 0)
  })

  test('a probe is on with its defaults, with settings of its own, or off; a cloud has none', () => {
    const probeOf = (probe: unknown, rest: object = {}) =>
      load({ file: { backends: { openai: { api_key: 'k', probe, ...rest } } } }).settings.catalog.backends['openai']
        ?.probe
    const usual = { path: null, intervalMs: 60_000, timeoutMs: 10_000, failuresMax: 2 }
    assert.deepEqual(probeOf(true), usual)
    assert.deepEqual(probeOf({ path: '/up', interval: 5, failures: 1 }), {
      ...usual,
      path: '/up',
      intervalMs: 5000,
      failuresMax: 1,
    })
    assert.equal(probeOf(false), undefined)
    assert.match(refusal({ file: { backends: { openai: { probe: { interval: 0.5 } } } } })[0]!, /expected/)
    const cloud = { type: 'bedrock', region: 'us-east-1', api_key: 'k', probe: true }
    assert.deepEqual(refusal({ file: { backends: { cloud } } }), [
      'backends.cloud.probe: not for a cloud, where a request has to be signed',
    ])
  })

  test('min_tokens_per_second is what a backend and a model say of their own, hedge what a model says', () => {
    const { catalog, timeouts } = load({
      file: {
        ...model({ hedge: true }),
        timeouts: { min_tokens_per_second: 2.5 },
        backends: { openai: { api_key: 'k', timeouts: { min_tokens_per_second: 0 } } },
      },
    }).settings
    assert.equal(timeouts.minTokensPerSecond, 2.5)
    assert.equal(catalog.backends['openai']?.timeouts.minTokensPerSecond, 0)
    assert.equal(catalog.models[0]?.hedge, true)
  })

  test('models, routes, backends and groups hand over what routing reads', () => {
    const { catalog } = load({
      file: {
        ...model({ fallbacks: ['openrouter:a/b'], larger: 'gpt-xl', strategy: 'lowest_price', cache: 'explicit' }),
        backends: {
          openai: {
            api_key: 'k',
            data_policy: 'no_store',
            billing_domain: 'acme',
            reports_cost: true,
            rpm: 5,
            extra: { force: { store: false } },
          },
          openrouter: { api_key: 'k', models: ['a/b'] },
        },
        routes: [{ model: 'gpt-x', backend: 'openai', default_params: { top_p: 0 }, max_context: 9, factor: 1.5 }],
        groups: { eu: { backends: ['openai'], regions: ['eu'], vendor_prefix_policy: 'reject' } },
      },
    }).settings
    const [first] = catalog.models
    assert.deepEqual(
      [first?.fallbacks, first?.larger, first?.strategy, first?.cache],
      [['openrouter:a/b'], 'gpt-xl', 'lowest_price', 'explicit'],
    )
    const { openai } = catalog.backends
    assert.deepEqual(
      [openai?.dataPolicy, openai?.billingDomain, openai?.reportsCost, openai?.caps.rpm, openai?.force],
      [['no_store'], 'acme', true, 5, { store: false }],
    )
    const { openrouter } = catalog.backends
    assert.deepEqual([openrouter?.billingDomain, openrouter?.reportsCost], ['openrouter', true])
    const route = catalog.routes.find(({ backend }) => backend === 'openai')
    assert.deepEqual([route?.defaultParams, route?.maxContext, route?.factor], [{ top_p: 0 }, 9, '1.5'])
    assert.deepEqual([catalog.groups['eu']?.backends, catalog.groups['eu']?.allowDefaultBackend], [['openai'], false])
    assert.match(refusal({ file: { groups: { eu: { backends: ['no'] } } } })[0]!, /^groups\.eu: unknown backend "no"/)
  })

  test('an allowed origin is one that a browser sends, and the star needs client authentication', () => {
    const origins = (list: readonly string[], flags = {}) => ({ file: { cors: { allowed_origins: list } }, flags })
    const good = ['https://app.example.com', 'http://localhost:5173', 'chrome-extension://abc', '*']
    assert.deepEqual(load(origins(good)).settings.corsAllowedOrigins, good)
    for (const bad of [
      'null',
      'app.example.com',
      'https://app.example.com/',
      'https://*.example.com',
      'https://a b',
      'https://u@h',
    ]) {
      assert.match(refusal(origins([bad]))[0]!, /^cors\.allowed_origins\[0\]: expected an origin/, bad)
    }
    for (const bad of ['https://App.example.com', 'https://app.example.com:443']) {
      assert.match(refusal(origins([bad]))[0]!, /it sends https:\/\/app\.example\.com$/)
    }
    assert.match(refusal(origins(['*'], { disableAuth: true }))[0]!, /needs client authentication/)
    assert.deepEqual(
      load(origins(['http://localhost:5173'], { disableAuth: true })).settings.corsAllowedOrigins.length,
      1,
    )
  })

  test('tiers keep their order, and 0 is no bound', () => {
    const tiers = [
      { name: 'free', rpm: 5, free_rpd: 0 },
      { name: 'pro', min_lifetime_credits: 10, rpm: 0, models: { 'gpt-x': { rpm: 2 } } },
    ]
    const read = load({ file: { tiers } }).settings.rateLimits.tiers
    assert.deepEqual(
      [...read].map(([name, { limits, freeRpd, minLifetimeNano }]) => [name, limits.rpm, freeRpd, minLifetimeNano]),
      [
        ['free', 5, 0, null],
        ['pro', 0, null, 10_000_000_000n],
      ],
    )
    assert.deepEqual([...read.get('pro')!.models], [['gpt-x', { ...NO_LIMITS, rpm: 2 }]])
    assert.deepEqual(refusal({ file: { tiers: [tiers[0], tiers[0]] } }), ['tiers[1].name: "free" is already defined'])
    const steps = ['0', '10', '10'].map((amount, at) => ({ name: `t${at}`, min_lifetime_credits: amount }))
    assert.deepEqual(refusal({ file: { tiers: steps } }), [
      'tiers[2].min_lifetime_credits: expected more than that of the tier below it',
    ])
  })

  test('accounting can only be off with billing off', () => {
    assert.match(refusal({ flags: { noAccounting: true } })[0]!, /^--disable-accounting: accounting can only be off/)
    assert.equal(load({ flags: { noAccounting: true, disableAuth: true } }).settings.accounting, false)
    const env = { USAGE_TRACKING_ENABLED: 'false', BILLING_MODE: 'off' }
    assert.equal(load({ env }).settings.accounting, false)
    assert.equal(load({ env: { ...env, USAGE_TRACKING_ENABLED: 'yes' } }).settings.accounting, true)
    assert.equal(
      load({ env: { ...env, USAGE_TRACKING_ENABLED: 'yes' }, flags: { disableAccounting: true } }).settings.accounting,
      false,
    )
  })
})

test('what is not yet in effect is told at the start, and only when it was given', () => {
  const pending = (given: Given) => load(given).warnings.filter((line) => line.endsWith('not yet in effect'))
  assert.deepEqual(pending({}), [])
  for (const path of PENDING) assert.doesNotMatch(path, /^(identity|server|logging|timeouts|auth)\b/)
  const [path] = PENDING.filter((one) => one === 'portal.port')
  if (path !== undefined)
    assert.deepEqual(pending({ file: { portal: { port: 1 } } }), [`${path}: accepted, but not yet in effect`])
})

test('R113: identity: values that could start another header, and sources that are private, end the start', () => {
  const refused = (identity: object): readonly string[] => refusal({ file: { identity } })
  for (const bad of ['a\r\nx-evil: 1', 'a\nb', 'a\u0000b', '\u4f60']) {
    const lines = refused({ user_agent: { override_value: bad } })
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /^identity\.user_agent\.override_value: must not contain control characters/)
    assert.match(refusal({ flags: { identityUserAgent: bad } })[0]!, /^--identity-user-agent: identity/)
  }
  for (const name of ['Authorization', 'Cookie', 'X-Forwarded-For', 'x-api-key']) {
    assert.match(refused({ title: { passthrough_name: name } })[0]!, /never passed on/)
  }
  assert.deepEqual(refused({ title: {}, x_title: {} }), ['identity.title: means the same as identity.x_title'])
  assert.match(refused({ user_agent: 'MyApp/1' })[0]!, /expected passthrough, override or default/)
  assert.match(refused({ user_agent: { override_value: 'x'.repeat(301) } })[0]!, /longer than 300 characters/)
  const { warnings } = load({ file: { identity: { referer: { mode: 'override' } } } })
  assert.deepEqual(warnings, ['identity.referer: mode override without override_value; our own name is sent'])
})
