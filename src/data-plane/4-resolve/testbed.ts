import type { Catalog } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import { backendOf, catalogOf, groupOf, modelOf, routeOf } from '#data-plane/testbed.ts'

/** Catalogs, and what each model string means in them: every example of the seeds and every collision of C3, C4, C7, C14, C16, C38 (R43). */

export const openai = backendOf('openai', { type: 'openai' })
const anthropic = backendOf('anthropic', { type: 'anthropic', protocols: ['anthropic-messages'] })
const gemini = backendOf('gemini', { type: 'gemini', protocols: ['gemini'] })
const bedrock = backendOf('bedrock', { type: 'bedrock', protocols: ['bedrock-converse'] })
const ollama = backendOf('ollama', { type: 'ollama' })
const openrouter = backendOf('openrouter', { type: 'openrouter', credentials: ['first', 'second'] })

const REASONS = { capabilities: new Set(['reasoning']) }
const THINKS = { capabilities: new Set(['thinking', 'reasoning']) }
const model = (id: string, vendor: string, rest = {}) => modelOf(id, { vendor, ...rest })
const gpt5 = model('gpt-5', 'openai', REASONS)
const gpt5mini = model('gpt-5-mini', 'openai', REASONS)
export const gpt4o = model('gpt-4o', 'openai')
const o3 = model('o3', 'openai', REASONS)
const large = model('text-embedding-3-large', 'openai', { kind: 'embedding' })
const opus = model('claude-opus-4-7', 'anthropic', { ...THINKS, displayName: 'Claude Opus 4.7' })
const sonnet = model('claude-sonnet-4-7', 'anthropic', THINKS)
const flash = model('gemini-3-flash-preview', 'google', THINKS)
const pro = model('gemini-2.5-pro', 'google', THINKS)
const r1 = model('deepseek-r1', 'deepseek', REASONS)
const kimi = model('kimi-k2-thinking', 'moonshot', THINKS)
const v32 = model('deepseek-v3.2', 'deepseek')
const nova = model('amazon.nova-pro-v1:0', 'aws')
const llama = model('llama3:8b', 'meta')
const colon = model('openai:custom', 'other')
const free = model('mini', 'openai', { free: true })
const gold = model('gold-only', 'openai')

export const PLAIN: Catalog = catalogOf(
  [
    ...[gpt5, gpt5mini, gpt4o, o3, large, free].map((each) => routeOf(each, openai)),
    routeOf(opus, anthropic, { upstreamModel: 'claude-opus-4-7-2026' }),
    routeOf(opus, bedrock, { upstreamModel: 'us.anthropic.claude-opus-4-7-v1:0', priority: 1 }),
    ...[sonnet].map((each) => routeOf(each, anthropic)),
    ...[flash, pro].map((each) => routeOf(each, gemini)),
    ...[r1, kimi].map((each) => routeOf(each, ollama)),
    routeOf(v32, ollama),
    routeOf(v32, openai, { group: 'free', upstreamModel: 'v32-free' }),
    routeOf(nova, bedrock),
    routeOf(llama, ollama),
    routeOf(colon, ollama),
    routeOf(gold, openai, { group: 'gold' }),
  ],
  { groups: new Map(['default', 'free', 'gold'].map((id) => [id, groupOf(id)])) },
)

/** Group `default` has an OpenRouter account and nothing else. */
const ROUTED: Catalog = {
  ...catalogOf([
    routeOf(opus, openrouter, { upstreamModel: 'anthropic/claude-opus-4-7' }),
    routeOf(gpt5, openrouter, { upstreamModel: 'openai/gpt-5' }),
    routeOf(gpt4o, openrouter, { upstreamModel: 'openai/gpt-4o' }),
    routeOf(pro, openrouter, { upstreamModel: 'google/gemini-2.5-pro' }),
    routeOf(kimi, openrouter, { upstreamModel: 'moonshotai/kimi-k2-thinking' }),
  ]),
  groups: new Map([['default', groupOf('default', { backends: ['openrouter'] })]]),
}

/** Seed S1: OpenRouter is the default backend of a catalog that knows other things. */
const SINGLE: Catalog = {
  ...PLAIN,
  backends: new Map([...PLAIN.backends, ['openrouter', openrouter]]),
  groups: new Map([['default', groupOf('default', { allowDefaultBackend: true })]]),
}

export type Routing = Partial<Settings['routing']>
const S1: Routing = { defaultBackend: 'openrouter' }
const ALIASED: Routing = { ...S1, modelAliases: [{ pattern: '^gpt-(.*)', replacement: 'openrouter:openai/gpt-\\1' }] }

type Row = readonly [text: string, expected: string]
const NORMALIZED = '!/model: model_normalized'

export const TABLES: Readonly<Record<string, readonly [Catalog, Routing, readonly Row[]]>> = {
  'vendors of their own': [
    PLAIN,
    {},
    [
      ['gpt-5', 'openai gpt-5'],
      ['gpt-5-mini', 'openai gpt-5-mini'],
      ['o3', 'openai o3'],
      ['claude-opus-4-7', 'anthropic claude-opus-4-7-2026'],
      ['claude-sonnet-4-7', 'anthropic claude-sonnet-4-7'],
      ['gemini-3-flash-preview', 'gemini gemini-3-flash-preview'],
      ['gemini-2.5-pro', 'gemini gemini-2.5-pro'],
      ['text-embedding-3-large', 'openai text-embedding-3-large'],
      // Exact and case-sensitive (R25), and no display names (R44).
      ['GPT-5', 'model_not_found'],
      ['Claude Opus 4.7', 'model_not_found'],
      [' gpt-5', 'model_not_found'],
      ['gpt-40', 'model_not_found'],
      ['gold-only', 'model_not_allowed'],
      ['gold-only:gold', 'group_not_allowed'],
      // The suffix (R33, C7).
      ['claude-opus-4-7-thinking', 'anthropic claude-opus-4-7-2026 thinking'],
      ['gpt-5-thinking', 'openai gpt-5 thinking'],
      ['deepseek-r1-thinking', 'ollama deepseek-r1 thinking'],
      ['claude-opus-4-7-thinking?top_p=0.9', 'anthropic claude-opus-4-7-2026 thinking top_p=0.9'],
      ['kimi-k2-thinking', 'ollama kimi-k2-thinking'],
      ['kimi-k2-thinking-thinking', 'ollama kimi-k2-thinking thinking'],
      ['gpt-4o-thinking', 'thinking_not_supported'],
      ['nosuch-thinking', 'model_not_found'],
      ['-thinking', 'model_not_found'],
      ['claude-opus-4-7:thinking', 'anthropic claude-opus-4-7-2026 thinking'],
      ['gpt-4o:thinking', 'thinking_not_supported'],
      // Vendor prefixes where there is no OpenRouter (R28, C3).
      ['anthropic/claude-opus-4-7', `anthropic claude-opus-4-7-2026 ${NORMALIZED}`],
      ['openai/gpt-5', `openai gpt-5 ${NORMALIZED}`],
      ['google/gemini-2.5-pro', `gemini gemini-2.5-pro ${NORMALIZED}`],
      ['deepseek/deepseek-r1', `ollama deepseek-r1 ${NORMALIZED}`],
      ['deepseek-ai/deepseek-r1', `ollama deepseek-r1 ${NORMALIZED}`],
      ['google/claude-opus-4-7', 'model_not_found'],
      ['nobody/gpt-5', 'model_not_found'],
      ['anthropic/claude-opus-4-7-thinking', `anthropic claude-opus-4-7-2026 thinking ${NORMALIZED}`],
      ['openai/nosuch', 'model_not_found'],
      ['/gpt-5', 'model_not_found'],
      // Backends before a colon (R29, C4).
      ['openai:gpt-4o', 'openai gpt-4o pinned'],
      ['openai:v32-free', 'openai v32-free pinned'],
      ['openai:gpt-4o-2024-11-20', 'openai gpt-4o-2024-11-20 pinned'],
      ['anthropic:claude-opus-4-7', 'anthropic claude-opus-4-7-2026 pinned'],
      ['bedrock:claude-opus-4-7', 'bedrock us.anthropic.claude-opus-4-7-v1:0 pinned'],
      ['bedrock:us.anthropic.claude-opus-4-7-v1:0', 'bedrock us.anthropic.claude-opus-4-7-v1:0 pinned'],
      ['bedrock:amazon.nova-pro-v1:0', 'bedrock amazon.nova-pro-v1:0 pinned'],
      ['ollama:llama3:8b', 'ollama llama3:8b pinned'],
      ['ollama:llama3:70b', 'ollama llama3:70b pinned'],
      ['openai:gpt-5-thinking', 'openai gpt-5 thinking pinned'],
      ['openai:gpt-4o-thinking', 'thinking_not_supported'],
      ['nosuch:gpt-4o', 'model_not_found'],
      ['openai:', 'model_not_found'],
      [':gpt-5', 'model_not_found'],
      ['a/openai:gpt-5', 'model_not_found'],
      ['openai:../admin', 'model_not_found'],
      ['auto:gpt-5', 'model_not_found'],
      // Ids that have colons of their own are what they are (C4).
      ['openai:custom', 'ollama openai:custom'],
      ['amazon.nova-pro-v1:0', 'bedrock amazon.nova-pro-v1:0'],
      ['aws/amazon.nova-pro-v1:0', `bedrock amazon.nova-pro-v1:0 ${NORMALIZED}`],
      ['llama3:8b', 'ollama llama3:8b'],
      ['meta-llama/llama3:8b', `ollama llama3:8b ${NORMALIZED}`],
      ['llama3:70b', 'model_not_found'],
      // Groups and variants behind a colon.
      ['deepseek-v3.2', 'ollama deepseek-v3.2'],
      ['deepseek-v3.2:free', 'openai v32-free group=free'],
      ['deepseek-v3.2:default', 'ollama deepseek-v3.2'],
      ['deepseek-v3.2:gold', 'group_not_allowed'],
      ['gpt-5:nitro', 'openai gpt-5 sort=throughput'],
      ['gpt-5:floor', 'openai gpt-5 sort=price'],
      ['gpt-5:online', 'unsupported_parameter'],
      ['gpt-5:beta', 'openai gpt-5 !/model: the variant beta has no effect here'],
      ['gpt-5:nosuch', 'model_not_found'],
      ['openai/gpt-5:floor', `openai gpt-5 sort=price ${NORMALIZED}`],
      // Parameters (R30, R31).
      ['gpt-4o?temperature=0.7&top_p=0.9', 'openai gpt-4o temperature=0.7 top_p=0.9'],
      [
        'gpt-4o?temperature=3.5&foo=1&top_p=0.5',
        'openai gpt-4o top_p=0.5 !/model/temperature: 3.5 above maximum value (2.0) !/model/foo: unknown parameter',
      ],
      ['gpt-4o?invalid', 'openai gpt-4o !/model/invalid: has no value'],
      ['gpt-4o?', 'openai gpt-4o'],
      ['gpt-4o?temperature=', 'openai gpt-4o'],
      ['gpt-4o?temperature=0.1&temperature=0.2', 'openai gpt-4o temperature=0.2'],
      ['gpt-4o?Temperature=1', 'openai gpt-4o !/model/Temperature: unknown parameter'],
      ['gpt-4o?temperature=%30%2E5', 'openai gpt-4o temperature=0.5'],
      ['gpt-4o?top_k=0', 'openai gpt-4o !/model/top_k: 0 below minimum value (1.0)'],
      ['gpt-4o?top_k=1.5', 'openai gpt-4o !/model/top_k: 1.5 is no whole number'],
      ['gpt-4o?max_tokens=7&verbosity=low', 'openai gpt-4o max_tokens=7 verbosity="low"'],
      [
        'gpt-5?reasoning_effort=huge',
        'openai gpt-5 !/model/reasoning_effort: huge is none of none minimal low medium high xhigh max',
      ],
      ['openai:gpt-4o?temperature=0', 'openai gpt-4o pinned temperature=0'],
      ['deepseek-v3.2:free?seed=-3', 'openai v32-free group=free seed=-3'],
      ['?temperature=1', 'model_not_found'],
      // Chains (R68).
      ['gpt-5|claude-opus-4-7', 'openai gpt-5 |claude-opus-4-7'],
      ['gpt-5?seed=1|nosuch|gold-only|gpt-4o', 'openai gpt-5 seed=1 |gpt-4o'],
      [
        'hybrid:[ollama:deepseek-r1?temperature=0.9,openai:gpt-4o?temperature=0.1]',
        'openai gpt-4o pinned temperature=0.1 after=deepseek-r1',
      ],
      ['hybrid:[deepseek-r1?foo=1,gpt-4o]', 'openai gpt-4o !/model/foo: unknown parameter after=deepseek-r1'],
      ['hybrid:[nosuch,gpt-4o]', 'model_not_found'],
      ['hybrid:[deepseek-r1]', 'invalid_parameter'],
    ],
  ],
  'a group with an OpenRouter account': [
    ROUTED,
    {},
    [
      ...[
        'openai/gpt-5',
        'anthropic/claude-opus-4-7',
        'google/gemini-2.5-pro',
        'deepseek/deepseek-r1',
        'meta-llama/llama-3-70b-instruct',
        'mistralai/mistral-large',
        'qwen/qwen3-coder',
        'openai/gpt-4-turbo',
        'openai/gpt-3.5-turbo',
        'anthropic/claude-3-5-sonnet',
        'anthropic/claude-3-opus',
        'anthropic/claude-3-haiku',
        'meta-llama/llama-3-8b-instruct',
        'mistralai/mistral-medium',
        'qwen/qwen-2-72b-instruct',
        'openai/gpt-4o',
        'anthropic/claude-3-haiku:beta',
        'google/gemini-pro',
        'google/gemini-pro-vision',
        'deepseek/deepseek-r1:free',
        'openai/gpt-5:nitro',
        'openai/gpt-5:floor',
        'openai/gpt-4o:online',
        'anthropic/claude-3.7-sonnet:thinking',
        'openai/gpt-5:extended',
        'openrouter/auto',
        'moonshotai/kimi-k2-thinking',
        // Nobody here knows `vendor/x`, so OpenRouter decides (C7).
        'vendor/x-thinking',
      ].map((id): Row => [id, `openrouter ${id}`]),
      ['gpt-5', 'openrouter openai/gpt-5'],
      ['gpt-5-thinking', 'openrouter openai/gpt-5 thinking'],
      ['kimi-k2-thinking', 'openrouter moonshotai/kimi-k2-thinking'],
      ['anthropic/claude-opus-4-7-thinking', 'openrouter anthropic/claude-opus-4-7 thinking'],
      ['openai/gpt-4o-thinking', 'thinking_not_supported'],
      [
        'openrouter:anthropic/claude-3-5-sonnet?temperature=0.7',
        'openrouter anthropic/claude-3-5-sonnet pinned temperature=0.7',
      ],
      [
        'openrouter:anthropic/claude-3-5-sonnet?temperature=0.7&top_p=0.9',
        'openrouter anthropic/claude-3-5-sonnet pinned temperature=0.7 top_p=0.9',
      ],
      ['openrouter:openai/gpt-4o', 'openrouter openai/gpt-4o pinned'],
      ['openrouter.2:openai/gpt-4o', 'openrouter.2 openai/gpt-4o pinned'],
      ['openrouter.3:openai/gpt-4o', 'model_not_found'],
      ['openai/../admin', 'model_not_found'],
      ['nosuch', 'model_not_found'],
    ],
  ],
  'OpenRouter as the default backend (seed S1)': [
    SINGLE,
    S1,
    [
      ['anthropic/claude-3-5-sonnet', 'openrouter anthropic/claude-3-5-sonnet'],
      ['qwen/qwen3-coder', 'openrouter qwen/qwen3-coder'],
      ['openai/gpt-4o', 'openrouter openai/gpt-4o'],
      // Routes come before the default (C14).
      ['gpt-4o', 'openai gpt-4o'],
      ['unknown-model', 'openrouter unknown-model'],
    ],
  ],
  'aliases (R37, C16, C38)': [
    SINGLE,
    ALIASED,
    [
      ['gpt-4o', 'openrouter openai/gpt-4o pinned'],
      ['gpt-4o?temperature=0.3', 'openrouter openai/gpt-4o pinned temperature=0.3'],
      ['gpt-5-thinking', 'openrouter openai/gpt-5-thinking pinned'],
      ['my-gpt-4o', 'openrouter my-gpt-4o'],
      ['claude-opus-4-7', 'anthropic claude-opus-4-7-2026'],
    ],
  ],
  'an alias to an OpenRouter that is known': [
    ROUTED,
    ALIASED,
    [
      ['gpt-5-thinking', 'openrouter openai/gpt-5 thinking pinned'],
      ['gpt-5-thinking?top_p=0.5', 'openrouter openai/gpt-5 thinking pinned top_p=0.5'],
    ],
  ],
  'forced (R41, C10)': [
    SINGLE,
    { ...ALIASED, forceModel: 'anthropic/claude-3-5-sonnet' },
    [
      ['openai/gpt-4o', 'openrouter anthropic/claude-3-5-sonnet'],
      ['gpt-4o', 'openrouter anthropic/claude-3-5-sonnet'],
    ],
  ],
  'a static route is stronger still': [
    SINGLE,
    { ...S1, forceModel: 'gpt-5', staticRoute: 'openai:gpt-4o?seed=1' },
    [['whatever', 'openai gpt-4o pinned seed=1']],
  ],
  'vendor_prefix_policy: reject': [
    PLAIN,
    { vendorPrefixPolicy: 'reject' },
    [
      ['anthropic/claude-opus-4-7', 'model_not_found'],
      ['google/claude-opus-4-7', 'model_not_found'],
      ['claude-opus-4-7', 'anthropic claude-opus-4-7-2026'],
    ],
  ],
  'forms that are switched off': [
    SINGLE,
    { ...S1, disableBackendNames: true, disableBackendIds: true, disableModelNames: true },
    [
      ['openai:gpt-4o', 'policy_rejected'],
      ['openrouter.2:openai/gpt-4o', 'policy_rejected'],
      ['gpt-4o', 'policy_rejected'],
      ['openai/gpt-4o', 'policy_rejected'],
    ],
  ],
  'strict parameters': [PLAIN, { strictUriParameters: true }, [['gpt-4o?foo=1', 'invalid_parameter']]],
}
