/**
 * Facts about well-known models that the price data does not carry, and the models it does not know. Rules are matched
 * against the bare id, so that a new member of a family needs no row. Facts are the vendors' own, as published.
 */

export interface CuratedModel {
  readonly id: string
  readonly vendor: string
  readonly name: string
  readonly contextWindow: number
  readonly maxOutput: number | null
  readonly releasedAt: string | null
  /** Null: those of the family rules. */
  readonly capabilities: readonly string[] | null
  /** USD per million tokens, where the price data has none. */
  readonly price: Readonly<Record<string, string>> | null
  /** Its name at OpenRouter; null when it is not offered there. */
  readonly openrouterId: string | null
}

const model = (
  id: string,
  vendor: string,
  name: string,
  contextWindow: number,
  maxOutput: number | null,
  releasedAt: string | null,
  rest: Partial<CuratedModel> = {},
): CuratedModel => ({
  id,
  vendor,
  name,
  contextWindow,
  maxOutput,
  releasedAt,
  capabilities: null,
  price: null,
  openrouterId: `${vendor}/${id}`,
  ...rest,
})

/** A Claude id with its version's dot, as OpenRouter writes it: `claude-opus-4-7` -> `anthropic/claude-opus-4.7`. */
const claude = (
  id: string,
  name: string,
  contextWindow: number,
  maxOutput: number,
  releasedAt: string | null,
  rest: Partial<CuratedModel> = {},
): CuratedModel =>
  model(id, 'anthropic', name, contextWindow, maxOutput, releasedAt, {
    openrouterId: `anthropic/${id.replace(/-(\d)-(\d)$/, '-$1.$2')}`,
    ...rest,
  })

/** List price of every Sonnet since the third generation; the price data has no row for this one. */
const SONNET = { input: '3', output: '15', cache_read: '0.3', cache_write: '3.75', cache_write_1h: '6' }
const EMBEDDING = { capabilities: ['embeddings', 'dimensions'] }

export const CURATED: readonly CuratedModel[] = [
  model('gpt-5', 'openai', 'GPT-5', 400_000, 128_000, '2025-08-07'),
  model('gpt-5-mini', 'openai', 'GPT-5 mini', 400_000, 128_000, '2025-08-07'),
  model('gpt-5-nano', 'openai', 'GPT-5 nano', 400_000, 128_000, '2025-08-07'),
  model('gpt-5.1', 'openai', 'GPT-5.1', 400_000, 128_000, '2025-11-13'),
  model('gpt-5.2', 'openai', 'GPT-5.2', 400_000, 128_000, '2025-12-11'),
  model('gpt-4.1', 'openai', 'GPT-4.1', 1_047_576, 32_768, '2025-04-14'),
  model('gpt-4.1-mini', 'openai', 'GPT-4.1 mini', 1_047_576, 32_768, '2025-04-14'),
  model('gpt-4.1-nano', 'openai', 'GPT-4.1 nano', 1_047_576, 32_768, '2025-04-14'),
  model('gpt-4o', 'openai', 'GPT-4o', 128_000, 16_384, '2024-05-13'),
  model('gpt-4o-mini', 'openai', 'GPT-4o mini', 128_000, 16_384, '2024-07-18'),
  model('o1', 'openai', 'o1', 200_000, 100_000, '2024-12-17'),
  model('o3', 'openai', 'o3', 200_000, 100_000, '2025-04-16'),
  model('o3-mini', 'openai', 'o3-mini', 200_000, 100_000, '2025-01-31'),
  model('o4-mini', 'openai', 'o4-mini', 200_000, 100_000, '2025-04-16'),
  model('text-embedding-3-large', 'openai', 'Text Embedding 3 Large', 8192, null, '2024-01-25', EMBEDDING),
  model('text-embedding-3-small', 'openai', 'Text Embedding 3 Small', 8192, null, '2024-01-25', EMBEDDING),
  claude('claude-opus-4-7', 'Claude Opus 4.7', 1_000_000, 128_000, null),
  claude('claude-sonnet-4-7', 'Claude Sonnet 4.7', 1_000_000, 64_000, null, { price: SONNET, openrouterId: null }),
  claude('claude-opus-4-6', 'Claude Opus 4.6', 1_000_000, 128_000, '2026-02-05'),
  claude('claude-sonnet-4-6', 'Claude Sonnet 4.6', 1_000_000, 64_000, '2026-02-17'),
  claude('claude-opus-4-5', 'Claude Opus 4.5', 200_000, 64_000, '2025-11-24'),
  claude('claude-sonnet-4-5', 'Claude Sonnet 4.5', 200_000, 64_000, '2025-09-29'),
  claude('claude-haiku-4-5', 'Claude Haiku 4.5', 200_000, 64_000, '2025-10-15'),
  claude('claude-opus-4-1', 'Claude Opus 4.1', 200_000, 32_000, '2025-08-05'),
  model('gemini-2.5-pro', 'google', 'Gemini 2.5 Pro', 1_048_576, 65_536, '2025-06-17'),
  model('gemini-2.5-flash', 'google', 'Gemini 2.5 Flash', 1_048_576, 65_536, '2025-06-17'),
  model('gemini-2.5-flash-lite', 'google', 'Gemini 2.5 Flash-Lite', 1_048_576, 65_536, '2025-07-22'),
  model('gemini-3-flash-preview', 'google', 'Gemini 3 Flash Preview', 1_048_576, 65_536, '2025-12-17'),
  model('gemini-3-pro-preview', 'google', 'Gemini 3 Pro Preview', 1_048_576, 65_536, '2025-11-18'),
]

/** Capabilities by family; every rule that matches adds its own. */
export const FAMILIES: readonly { readonly pattern: RegExp; readonly capabilities: readonly string[] }[] = [
  { pattern: /^(gpt-[4-9]|gpt-oss|chatgpt|o[134]\b)/, capabilities: ['tools', 'json_mode', 'json_schema'] },
  { pattern: /^(gpt-4o|gpt-4\.|gpt-4-turbo|gpt-[5-9]|chatgpt|o1$|o1-pro|o3|o4)/, capabilities: ['vision'] },
  { pattern: /^(gpt-[5-9]|gpt-oss|o[134]\b)/, capabilities: ['reasoning'] },
  { pattern: /audio/, capabilities: ['audio'] },
  { pattern: /^claude-/, capabilities: ['tools', 'vision', 'pdf'] },
  {
    pattern: /^claude-(3[-.]7|[a-z]+-[4-9])/,
    capabilities: ['json_schema', 'reasoning', 'thinking'],
  },
  { pattern: /^gemini-/, capabilities: ['tools', 'vision', 'audio', 'video', 'pdf', 'json_mode', 'json_schema'] },
  { pattern: /^gemini-(2\.5|[3-9])/, capabilities: ['reasoning', 'thinking'] },
  {
    pattern:
      /^(mistral|ministral|magistral|devstral|codestral|mixtral|pixtral|command|deepseek|grok|kimi|minimax|glm|qwen|llama-?[34])/,
    capabilities: ['tools', 'json_mode'],
  },
  { pattern: /(vl\b|vision|pixtral|-4v|llama-4|grok-4|kimi-k[23])/, capabilities: ['vision'] },
  { pattern: /(think|reason|magistral|-r1\b|grok-4|minimax-m|glm-[5-9]|deepseek-v[4-9])/, capabilities: ['reasoning'] },
]

/** Slugs of vendors by the author part of a hosted model's name. */
export const AUTHORS: Readonly<Record<string, string>> = {
  'meta-llama': 'meta',
  mistralai: 'mistral',
  'deepseek-ai': 'deepseek',
  'x-ai': 'xai',
  moonshotai: 'moonshot',
  'z-ai': 'zai',
  zhipuai: 'zai',
  'zai-org': 'zai',
  alibaba: 'qwen',
  minimaxai: 'minimax',
}

/** Vendors by the beginning of a bare name, for hosts that leave the author out. */
export const VENDOR_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^(gpt-|o[134]\b|chatgpt|text-embedding|codex)/, 'openai'],
  [/^claude/, 'anthropic'],
  [/^(gemini|gemma)/, 'google'],
  [/^(code)?llama/, 'meta'],
  [/^(mistral|mixtral|ministral|magistral|devstral|codestral|pixtral|open-mi)/, 'mistral'],
  [/^deepseek/, 'deepseek'],
  [/^(qwen|qwq)/, 'qwen'],
  [/^grok/, 'xai'],
  [/^kimi|^moonshot/, 'moonshot'],
  [/^minimax/, 'minimax'],
  [/^(zai-)?glm/, 'zai'],
  [/^command/, 'cohere'],
  [/^sonar/, 'perplexity'],
  [/nemotron/, 'nvidia'],
]

/** Priced things in the data that no chat or embeddings endpoint serves, and remainders of old naming. */
export const NOT_SERVED =
  /(whisper|tts|transcribe|realtime|-live|moderation|rerank|-ocr|image|dall-e|sora|veo|imagen|lyria|voice|voxtral-mini-(transcribe|tts)|guard|davinci|babbage|curie|^ada$|^ft:|\.ft-|^~|[-.]$|-v1$|-instruct-\d{4}$|computer-use|deep-research)/i
