import type { ChatRequest } from '#ir/chat-request.ts'
import { escapePointer, type Losses } from '#ir/extensions.ts'
import type { Fields } from './fields.ts'

/** What Converse takes in `requestMetadata`, which only the operator's invocation logs show. */
const METADATA_KEY = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/
const METADATA_VALUE = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/
const METADATA_ENTRIES_MAX = 16
const END_USER_KEY = 'user_id'

/** Tiers of OpenAI and Anthropic by Converse's word; an empty word is what it does anyway. */
const TIERS: ReadonlyMap<string, string> = new Map([
  ['auto', ''],
  ['default', 'default'],
  ['standard', 'default'],
  ['standard_only', 'default'],
  ['flex', 'flex'],
  ['priority', 'priority'],
  ['reserved', 'reserved'],
])

/** Members at the top of the body: who asks, and at which tier. What has no place there is declared. */
export function encodeMembers(request: ChatRequest, losses: Losses): Fields {
  const { serviceTier, candidates, logprobs, verbosity, promptCacheKey } = request
  const pathOf = (name: string, usual: string): string => request.paths[name] ?? `/${usual}`
  if (candidates !== null && candidates !== 1) losses.severe(pathOf('candidates', 'n'), 'Bedrock gives one answer')
  if (logprobs?.enabled) losses.severe(pathOf('logprobs', 'logprobs'), 'Bedrock tells no probabilities')
  if (verbosity !== null) losses.dropped(pathOf('verbosity', 'verbosity'), 'Bedrock has no verbosity')
  if (promptCacheKey !== null) losses.dropped(pathOf('promptCacheKey', 'prompt_cache_key'), 'Bedrock has no cache key')
  const tier = serviceTier === null ? '' : TIERS.get(serviceTier)
  if (tier === undefined) losses.dropped(pathOf('serviceTier', 'service_tier'), 'Bedrock has no such tier')
  const requestMetadata = encodeMetadata(request, losses)
  return {
    ...(tier ? { serviceTier: { type: tier } } : {}),
    ...(Object.keys(requestMetadata).length > 0 ? { requestMetadata } : {}),
  }
}

function encodeMetadata({ metadata, endUser, paths }: ChatRequest, losses: Losses): Readonly<Record<string, string>> {
  const path = paths['metadata'] ?? '/metadata'
  const told = new Map<string, string>()
  const tell = (key: string, value: unknown, at: string): void => {
    const isLegal = METADATA_KEY.test(key) && typeof value === 'string' && METADATA_VALUE.test(value)
    if (isLegal && told.size < METADATA_ENTRIES_MAX && !told.has(key)) told.set(key, value)
    else losses.dropped(at, 'Bedrock takes 16 short plain texts as metadata')
  }
  for (const [key, value] of Object.entries(metadata ?? {})) tell(key, value, `${path}/${escapePointer(key)}`)
  if (endUser !== null) tell(END_USER_KEY, endUser, paths['endUser'] ?? '/user')
  return Object.fromEntries(told)
}
