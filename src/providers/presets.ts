import type { Protocol } from '#base/protocols.ts'

/**
 * Where a provider is reached and what it speaks, as data (R62). Adding a look-alike is adding a row. An `apiUrl` of an
 * OpenAI-like provider carries its version segment (`/chat/completions` is appended); that of Anthropic and Gemini is the root.
 */
export interface Preset {
  readonly type: string
  readonly label: string
  /** Null: every account has its own, so the operator must name it. */
  readonly apiUrl: string | null
  readonly auth: PresetAuth
  /** Spoken unless the operator says otherwise (R59). */
  readonly protocols: readonly Protocol[]
  /** Base URLs of protocols that live elsewhere at the same provider; used when the operator adds them to `protocols`. */
  readonly protocolUrls: Readonly<Partial<Record<Protocol, string>>>
  /** Prefixes of `_API_KEY`, `_API_BASE_URL` and `_TIMEOUT`, the usual one first; empty for generic types. */
  readonly envPrefixes: readonly string[]
  /** Which adapter signs and addresses its calls. */
  readonly adapter: Adapter
  /** Slug of the vendor whose own models these are; null for a host of many vendors' models. */
  readonly vendor: string | null
  /** Its name in the reference price data; null when there is none. */
  readonly reference: string | null
}

export type PresetAuth = 'bearer' | 'api-key' | 'x-api-key' | 'x-goog-api-key' | 'none'
export type Adapter = 'http' | 'azure' | 'bedrock' | 'vertex'

/** Adapters this version can call through. A backend of another one loads, but its routes stay inactive. */
export const SERVED_ADAPTERS: ReadonlySet<Adapter> = new Set(['http', 'azure', 'bedrock', 'vertex'])

/** The version segment at the end of an OpenAI-like base URL. */
const VERSION = /\/v\d+$/

const OPENAI: readonly Protocol[] = ['openai-chat', 'openai-responses', 'openai-embeddings']
const COMPATIBLE: readonly Protocol[] = ['openai-chat', 'openai-embeddings']

const preset = (
  type: string,
  label: string,
  apiUrl: string | null,
  rest: Partial<Omit<Preset, 'type' | 'label' | 'apiUrl'>> = {},
): Preset => ({
  type,
  label,
  apiUrl,
  auth: 'bearer',
  protocols: COMPATIBLE,
  protocolUrls: {},
  envPrefixes: [type.toUpperCase().replaceAll('-', '_')],
  adapter: 'http',
  vendor: null,
  reference: null,
  ...rest,
})

const generic = (type: string, label: string, rest: Partial<Omit<Preset, 'type' | 'label' | 'apiUrl'>> = {}): Preset =>
  preset(type, label, null, { envPrefixes: [], ...rest })

export const PRESETS: readonly Preset[] = [
  preset('openai', 'OpenAI', 'https://api.openai.com/v1', {
    protocols: OPENAI,
    vendor: 'openai',
    reference: 'openai',
  }),
  preset('anthropic', 'Anthropic', 'https://api.anthropic.com', {
    auth: 'x-api-key',
    protocols: ['anthropic-messages'],
    vendor: 'anthropic',
    reference: 'anthropic',
  }),
  preset('gemini', 'Google Gemini', 'https://generativelanguage.googleapis.com', {
    auth: 'x-goog-api-key',
    protocols: ['gemini'],
    vendor: 'google',
    reference: 'google',
  }),
  preset('vertex', 'Google Vertex AI', null, {
    auth: 'none',
    protocols: ['gemini', 'anthropic-messages'],
    adapter: 'vertex',
  }),
  preset('azure', 'Azure OpenAI', null, { auth: 'api-key', protocols: OPENAI, adapter: 'azure' }),
  preset('bedrock', 'AWS Bedrock', null, {
    auth: 'none',
    protocols: ['anthropic-messages', 'bedrock-converse'],
    adapter: 'bedrock',
  }),
  preset('openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', {
    protocols: [...OPENAI, 'anthropic-messages'],
    protocolUrls: { 'anthropic-messages': 'https://openrouter.ai/api' },
    reference: 'openrouter',
  }),
  preset('mistral', 'Mistral AI', 'https://api.mistral.ai/v1', { vendor: 'mistral', reference: 'mistral' }),
  preset('cohere', 'Cohere', 'https://api.cohere.com', {
    protocols: ['cohere-chat'],
    protocolUrls: {
      'openai-chat': 'https://api.cohere.com/compatibility/v1',
      'openai-embeddings': 'https://api.cohere.com/compatibility/v1',
    },
    vendor: 'cohere',
    reference: 'cohere',
  }),
  preset('together', 'Together AI', 'https://api.together.xyz/v1', { reference: 'together' }),
  preset('perplexity', 'Perplexity', 'https://api.perplexity.ai', {
    protocols: ['openai-chat'],
    vendor: 'perplexity',
    reference: 'perplexity',
  }),
  preset('deepseek', 'DeepSeek', 'https://api.deepseek.com/v1', {
    protocolUrls: { 'anthropic-messages': 'https://api.deepseek.com/anthropic' },
    vendor: 'deepseek',
    reference: 'deepseek',
  }),
  preset('groq', 'Groq', 'https://api.groq.com/openai/v1', { reference: 'groq' }),
  preset('fireworks', 'Fireworks AI', 'https://api.fireworks.ai/inference/v1', {
    protocolUrls: { 'anthropic-messages': 'https://api.fireworks.ai/inference' },
  }),
  preset('xai', 'xAI', 'https://api.x.ai/v1', {
    protocolUrls: { 'anthropic-messages': 'https://api.x.ai' },
    vendor: 'xai',
    reference: 'x-ai',
  }),
  preset('qwen', 'Alibaba Qwen (DashScope)', 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1', {
    envPrefixes: ['DASHSCOPE', 'QWEN'],
    vendor: 'qwen',
  }),
  preset('moonshot', 'Moonshot AI (Kimi)', 'https://api.moonshot.ai/v1', {
    envPrefixes: ['MOONSHOT', 'KIMI'],
    protocolUrls: { 'anthropic-messages': 'https://api.moonshot.ai/anthropic' },
    vendor: 'moonshot',
    reference: 'moonshotai',
  }),
  preset('minimax', 'MiniMax', 'https://api.minimax.io/v1', {
    protocolUrls: { 'anthropic-messages': 'https://api.minimax.io/anthropic' },
    vendor: 'minimax',
    reference: 'minimax',
  }),
  preset('zai', 'Z.ai (Zhipu)', 'https://api.z.ai/api/paas/v4', {
    envPrefixes: ['ZAI', 'ZHIPU'],
    protocolUrls: { 'anthropic-messages': 'https://api.z.ai/api/anthropic' },
    vendor: 'zai',
    reference: 'zai',
  }),
  preset('nvidia', 'NVIDIA NIM', 'https://integrate.api.nvidia.com/v1'),
  preset('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', { reference: 'cerebras' }),
  preset('deepinfra', 'DeepInfra', 'https://api.deepinfra.com/v1/openai'),
  preset('sambanova', 'SambaNova', 'https://api.sambanova.ai/v1'),
  preset('hyperbolic', 'Hyperbolic', 'https://api.hyperbolic.xyz/v1'),
  preset('novita', 'Novita AI', 'https://api.novita.ai/openai/v1', { reference: 'novita' }),
  preset('huggingface', 'Hugging Face', 'https://router.huggingface.co/v1', { envPrefixes: ['HUGGINGFACE', 'HF'] }),
  preset('ollama', 'Ollama', 'http://127.0.0.1:11434/v1', { auth: 'none' }),
  preset('vllm', 'vLLM', 'http://127.0.0.1:8000/v1', { auth: 'none' }),
  preset('lmstudio', 'LM Studio', 'http://127.0.0.1:1234/v1', { auth: 'none' }),
  generic('openai-compatible', 'OpenAI-compatible'),
  generic('anthropic-compatible', 'Anthropic-compatible', { auth: 'x-api-key', protocols: ['anthropic-messages'] }),
  generic('gemini-compatible', 'Gemini-compatible', { auth: 'x-goog-api-key', protocols: ['gemini'] }),
  generic('simulator', 'Built-in simulator', {
    auth: 'none',
    protocols: [...OPENAI, 'anthropic-messages', 'gemini'],
  }),
]

/** Other names under which the same provider is known. */
const ALIASES: Readonly<Record<string, string>> = {
  google: 'gemini',
  dashscope: 'qwen',
  kimi: 'moonshot',
  moonshotai: 'moonshot',
  zhipu: 'zai',
  zhipuai: 'zai',
  'x-ai': 'xai',
  'azure-openai': 'azure',
  'aws-bedrock': 'bedrock',
  'lm-studio': 'lmstudio',
}

const BY_TYPE = new Map(PRESETS.map((row) => [row.type, row]))

/** The preset of a type written in any case with `_` or `-`; undefined when there is none. */
export function findPreset(type: string): Preset | undefined {
  const name = type.trim().toLowerCase().replaceAll('_', '-')
  return BY_TYPE.get(ALIASES[name] ?? name)
}

/** Whether a protocol's paths start behind a version segment of the base URL (`/v1`), as OpenAI's do. */
export const isVersionedPath = (protocol: Protocol): boolean => protocol.startsWith('openai-')

/**
 * Where a backend speaks one protocol. `base` is its api_url without trailing slash; `moved` tells that the operator replaced
 * the preset's own, so that a second protocol's place is looked for relative to it.
 */
export function protocolUrl(row: Preset, protocol: Protocol, base: string, moved: boolean): string {
  const elsewhere = row.protocolUrls[protocol]
  if (elsewhere !== undefined && !moved) return elsewhere
  const root = (row.apiUrl ?? '').replace(VERSION, '')
  if (elsewhere?.startsWith(root)) {
    const tail = elsewhere.slice(root.length)
    return tail !== '' && base.endsWith(tail) ? base : base.replace(VERSION, '') + tail
  }
  // Operators know Cohere by the address of its OpenAI-like API too.
  if (protocol === 'cohere-chat') return base.replace(/\/(?:compatibility\/)?v\d$/, '')
  if (!isVersionedPath(protocol)) return base.replace(/\/v1(beta)?$/, '')
  const rootStyle = row.type === 'simulator' || !row.protocols.some(isVersionedPath)
  return rootStyle ? `${base.replace(VERSION, '')}/v1` : base
}
