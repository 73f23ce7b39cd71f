import { shareOfEffort } from '#codecs/effort.ts'
import type { Members } from '#codecs/openai-chat/members.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, Sampling } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'

/** Cohere's bound. */
const STOP_SEQUENCES_MAX = 5

interface Rule {
  readonly name: keyof Sampling
  readonly member: string
  /** What Cohere takes; absent: anything. Source: its reference of `POST /v2/chat`. */
  readonly min?: number
  readonly max?: number
}

const SAMPLING: readonly Rule[] = [
  { name: 'temperature', member: 'temperature' },
  { name: 'topP', member: 'p', min: 0.01, max: 0.99 },
  { name: 'topK', member: 'k', min: 0, max: 500 },
  { name: 'frequencyPenalty', member: 'frequency_penalty', min: 0, max: 1 },
  { name: 'presencePenalty', member: 'presence_penalty', min: 0, max: 1 },
  { name: 'seed', member: 'seed' },
]

const UNKNOWN = ['logitBias', 'minP', 'repetitionPenalty'] as const satisfies readonly (keyof Sampling)[]

/** Sampling, limits, and what Cohere has no place for, which is declared. */
export function encodeSettings(request: ChatRequest, losses: Losses): Members {
  const { sampling, stopSequences, outputTokensMax, candidates, logprobs, paths } = request
  const members: Record<string, unknown> = {}
  for (const rule of SAMPLING) {
    const value = sampling[rule.name]
    if (value !== undefined) members[rule.member] = within(value, rule, paths[rule.name] ?? `/${rule.name}`, losses)
  }
  for (const name of UNKNOWN)
    if (sampling[name] !== undefined) losses.dropped(paths[name] ?? `/${name}`, `Cohere has no ${name}`)
  if (outputTokensMax !== null) members['max_tokens'] = outputTokensMax
  if (stopSequences !== null) {
    if (stopSequences.length > STOP_SEQUENCES_MAX)
      losses.narrowed(paths['stopSequences'] ?? '/stop', `Cohere takes ${STOP_SEQUENCES_MAX} stop sequences`)
    members['stop_sequences'] = stopSequences.slice(0, STOP_SEQUENCES_MAX)
  }
  if (candidates !== null && candidates !== 1) losses.severe(paths['candidates'] ?? '/n', 'Cohere gives one answer')
  if (logprobs?.enabled)
    losses.severe(paths['logprobs'] ?? '/logprobs', 'Cohere tells probabilities in a form of its own')
  loseOthers(request, losses)
  return members
}

function within(value: unknown, { min = -Infinity, max = Infinity }: Rule, path: string, losses: Losses): unknown {
  if (typeof value !== 'number' || (value >= min && value <= max)) return value
  losses.narrowed(path, `Cohere takes values from ${min} to ${max}`)
  return Math.max(min, Math.min(max, value))
}

function loseOthers(request: ChatRequest, losses: Losses): void {
  const { verbosity, serviceTier, endUser, metadata, promptCacheKey, cacheControl, paths } = request
  const lose = (name: string, member: string, isSaid: boolean, why: string): void => {
    if (isSaid) losses.dropped(paths[name] ?? `/${member}`, why)
  }
  lose('verbosity', 'verbosity', verbosity !== null, 'Cohere has no verbosity')
  lose('serviceTier', 'service_tier', serviceTier !== null, 'Cohere has no tiers')
  lose('endUser', 'user', endUser !== null, 'Cohere takes no end user')
  lose('metadata', 'metadata', metadata !== null, 'Cohere takes no metadata')
  lose('promptCacheKey', 'prompt_cache_key', promptCacheKey !== null, 'Cohere caches by itself')
  lose('cacheControl', 'cache_control', cacheControl !== undefined && cacheControl !== null, 'Cohere caches by itself')
}

/** `thinking` of the models that think; the others refuse the member. An effort is a share of the output limit. */
export function encodeThinking(request: ChatRequest, target: TargetTraits, losses: Losses): Members {
  const { reasoning: control, outputTokensMax } = request
  if (!control) return {}
  const path = request.paths['reasoning'] ?? '/reasoning'
  const { enabled, effort, budgetTokens, isAdaptive, isShown, summary } = control
  const canThink = target.reasoning !== 'none'
  if (enabled === false || effort === 'none' || budgetTokens === 0)
    return canThink ? { thinking: { type: 'disabled' } } : {}
  if (summary !== null && summary !== 'auto') losses.dropped(`${path}/summary`, 'Cohere has no kinds of summaries')
  if (isShown === false && canThink) losses.dropped(path, 'Cohere shows what its models think')
  if (enabled !== true && effort === null && budgetTokens === null && !isAdaptive && isShown !== true) return {}
  if (!canThink) {
    losses.dropped(path, 'the model does not reason')
    return {}
  }
  if (budgetTokens !== null) return { thinking: { type: 'enabled', token_budget: budgetTokens } }
  const limit = outputTokensMax ?? target.outputTokensMax
  const share = effort === null ? undefined : shareOfEffort(effort)
  if (effort !== null) losses.rewritten(path, 'the model takes a budget of tokens')
  return share === undefined || limit === null
    ? { thinking: { type: 'enabled' } }
    : { thinking: { type: 'enabled', token_budget: Math.max(1, Math.floor(limit * share)) } }
}
