import { createHash } from 'node:crypto'
import type { ChatRequest, Sampling } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { withinOutputLimit } from '#codecs/output-limit.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { Encoding } from './encode-content.ts'
import { writeMessages } from './encode-messages.ts'
import { writeFormat, writeTools } from './encode-tools.ts'
import { declareForeign, type Members, ownMembers, withOwn } from './members.ts'
import { askReasoning } from './reasoning-control.ts'

/** A body for `POST /v1/chat/completions` of OpenAI, OpenRouter or one of the many hosts that speak likewise. */
export function encodeChatRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const request = withinOutputLimit(asked, target, losses)
  const encoding: Encoding = { target, losses, emulatesCustomTools: !target.hasDeveloperRole }
  declareForeign('', request.ext, losses)
  const format = writeFormat(request, encoding)
  const messages = writeMessages(request, encoding)
  if (format.instruction !== null) messages.unshift({ role: 'system', content: format.instruction })
  const tools = writeTools(request, encoding)
  const { paths, reasoning, outputTokensMax } = request
  const body: Record<string, unknown> = {
    model: target.model,
    messages,
    ...tools.members,
    ...format.members,
    ...samplingOf(request, target, losses),
    ...(outputTokensMax === null ? {} : { [limitName(target)]: outputTokensMax }),
    ...settingsOf(request, encoding),
    ...askReasoning(reasoning, paths['reasoning'] ?? '', outputTokensMax, target, losses),
    ...streamOf(request),
  }
  return {
    body: withOwn(body, ownMembers(request)),
    emulatedCustomTools: tools.emulatedCustomTools,
    formatTool: format.formatTool,
  }
}

const limitName = ({ usesCompletionTokens }: TargetTraits): string =>
  usesCompletionTokens ? 'max_completion_tokens' : 'max_tokens'

interface SamplingRule {
  readonly name: keyof Sampling
  readonly member: string
  /** What models that refuse the value still take, because it changes nothing. */
  readonly neutral?: number
  /** OpenAI never knew it; most other hosts do. */
  readonly isDialect?: boolean
}

const SAMPLING: readonly SamplingRule[] = [
  { name: 'temperature', member: 'temperature', neutral: 1 },
  { name: 'topP', member: 'top_p', neutral: 1 },
  { name: 'topK', member: 'top_k', isDialect: true },
  { name: 'minP', member: 'min_p', isDialect: true },
  { name: 'repetitionPenalty', member: 'repetition_penalty', isDialect: true },
  { name: 'presencePenalty', member: 'presence_penalty', neutral: 0 },
  { name: 'frequencyPenalty', member: 'frequency_penalty', neutral: 0 },
  { name: 'logitBias', member: 'logit_bias' },
]

function samplingOf({ sampling, paths }: ChatRequest, target: TargetTraits, losses: Losses): Members {
  const members: Record<string, unknown> = {}
  for (const { name, member, neutral, isDialect } of SAMPLING) {
    const value = sampling[name]
    if (value === undefined) continue
    if (isDialect && target.hasDeveloperRole) losses.dropped(paths[name] ?? '', 'the upstream has no such parameter')
    else if (!target.refusesSampling || (neutral !== undefined && value === neutral)) members[member] = value
    else losses.dropped(paths[name] ?? '', 'the model refuses it')
  }
  if (sampling.seed !== undefined) members['seed'] = sampling.seed
  return members
}

/** OpenAI's bounds. */
const STOP_SEQUENCES_MAX = 4
const USER_CHARACTERS_MAX = 64

function settingsOf(request: ChatRequest, { target, losses }: Encoding): Members {
  const { candidates, logprobs, verbosity, promptCacheKey, paths, cacheControl } = request
  const hasCacheControl = cacheControl !== undefined && target.reasoning === 'openrouter'
  if (cacheControl !== undefined && !hasCacheControl)
    losses.dropped(paths['cacheControl'] ?? '/cache_control', 'the upstream caches by itself')
  return {
    ...stopOf(request, target, losses),
    ...(candidates === null ? {} : { n: candidates }),
    ...(logprobs === null ? {} : { logprobs: logprobs.enabled }),
    ...(logprobs === null || logprobs.top === null ? {} : { top_logprobs: logprobs.top }),
    ...(verbosity === null ? {} : { verbosity }),
    ...tierOf(request, losses),
    ...endUserOf(request, target, losses),
    ...metadataOf(request, target, losses),
    ...(promptCacheKey === null ? {} : { prompt_cache_key: promptCacheKey }),
    ...(hasCacheControl ? { cache_control: cacheControl } : {}),
  }
}

function stopOf({ stopSequences, paths }: ChatRequest, target: TargetTraits, losses: Losses): Members {
  if (stopSequences === null) return {}
  const isTooLong = target.hasDeveloperRole && stopSequences.length > STOP_SEQUENCES_MAX
  if (isTooLong)
    losses.narrowed(paths['stopSequences'] ?? '', `the upstream takes ${STOP_SEQUENCES_MAX} stop sequences`)
  return { stop: isTooLong ? stopSequences.slice(0, STOP_SEQUENCES_MAX) : stopSequences }
}

/** Anthropic's word for what OpenAI calls the default. */
function tierOf({ serviceTier, paths }: ChatRequest, losses: Losses): Members {
  if (serviceTier === null) return {}
  if (serviceTier !== 'standard_only') return { service_tier: serviceTier }
  losses.rewritten(paths['serviceTier'] ?? '', 'the tier has another name')
  return { service_tier: 'default' }
}

/** Too long a name, such as those of some agents, becomes one that is short and the same every time. */
function endUserOf({ endUser, paths }: ChatRequest, target: TargetTraits, losses: Losses): Members {
  if (endUser === null) return {}
  const member = paths['endUser'] === '/safety_identifier' ? 'safety_identifier' : 'user'
  if (!target.hasDeveloperRole || endUser.length <= USER_CHARACTERS_MAX) return { [member]: endUser }
  losses.rewritten(paths['endUser'] ?? '', `the upstream takes ${USER_CHARACTERS_MAX} characters`)
  return { [member]: createHash('sha256').update(endUser).digest('hex') }
}

/** OpenAI takes tags only with an answer that it stores. */
function metadataOf(request: ChatRequest, target: TargetTraits, losses: Losses): Members {
  const { metadata, paths } = request
  if (metadata === null) return {}
  if (!target.hasDeveloperRole || ownMembers(request)?.['store'] === true) return { metadata }
  losses.dropped(paths['metadata'] ?? '', 'the upstream takes it with stored answers only')
  return {}
}

/** A stream always tells its usage: whether the client sees it is the gateway's matter. */
function streamOf({ stream, paths }: ChatRequest): Members {
  if (stream) return { stream: true, stream_options: { include_usage: true } }
  return paths['stream'] === undefined ? {} : { stream: false }
}
