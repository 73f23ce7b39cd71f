import type { ChatRequest, OutputFormat, ReasoningControl, Sampling } from '#ir/chat-request.ts'
import { decodeInput } from './decode-input.ts'
import { decodeTools, decodeToolChoice } from './decode-tools.ts'
import {
  invalid,
  isRecord,
  isDeclared,
  type Members,
  optionalCount,
  optionalFlag,
  optionalRecord,
  optionalText,
  PROTOCOL,
  restOf,
  withAside,
} from './members.ts'

/**
 * The body of `POST /v1/responses` as a neutral request. Null is absent everywhere in this API. `ext` always names this protocol,
 * by which the encoder knows a client of its own. Throws GatewayError (400) for what has the wrong shape.
 */
export function decodeRequest(body: unknown): ChatRequest {
  if (!isRecord(body)) throw invalid('', 'must be a JSON object')
  const text = optionalRecord(body['text'], '/text')
  const reasoning = optionalRecord(body['reasoning'], '/reasoning')
  return {
    instructions: decodeInstructions(body['instructions']),
    turns: decodeInput(body['input']),
    tools: decodeTools(body['tools']),
    toolChoice: decodeToolChoice(body['tool_choice']),
    parallelToolCalls: optionalFlag(body['parallel_tool_calls'], '/parallel_tool_calls'),
    sampling: decodeSampling(body),
    outputTokensMax: optionalCount(body['max_output_tokens'], '/max_output_tokens'),
    stopSequences: null,
    candidates: null,
    logprobs: decodeLogprobs(body),
    format: decodeFormat(text?.['format']),
    reasoning: decodeReasoning(reasoning),
    verbosity: optionalText(text?.['verbosity'], '/text/verbosity'),
    serviceTier: optionalText(body['service_tier'], '/service_tier'),
    endUser: optionalText(body[endUserMember(body)], `/${endUserMember(body)}`),
    metadata: optionalRecord(body['metadata'], '/metadata'),
    promptCacheKey: optionalText(body['prompt_cache_key'], '/prompt_cache_key'),
    stream: optionalFlag(body['stream'], '/stream') ?? false,
    paths: pathsOf(body, text),
    ext: { [PROTOCOL]: extensionMembers(body, text, reasoning) },
  }
}

function decodeInstructions(instructions: unknown): ChatRequest['instructions'] {
  const text = optionalText(instructions, '/instructions')
  return text === null ? [] : [{ type: 'text', text, path: '/instructions' }]
}

/** Hosts beyond OpenAI take more than temperature and top_p. */
export const SAMPLING_MEMBERS: readonly (readonly [keyof Sampling, string])[] = [
  ['temperature', 'temperature'],
  ['topP', 'top_p'],
  ['topK', 'top_k'],
  ['presencePenalty', 'presence_penalty'],
  ['frequencyPenalty', 'frequency_penalty'],
  ['seed', 'seed'],
  ['logitBias', 'logit_bias'],
  ['minP', 'min_p'],
  ['repetitionPenalty', 'repetition_penalty'],
]

function decodeSampling(body: Members): Sampling {
  const sampling: Record<string, unknown> = {}
  for (const [name, member] of SAMPLING_MEMBERS) {
    const value = body[member]
    if (value !== undefined && value !== null) sampling[name] = value
  }
  return sampling
}

/** What asks for token probabilities; `include` itself stays with the other extensions. */
export const LOGPROBS_INCLUDED = 'message.output_text.logprobs'

function decodeLogprobs(body: Members): ChatRequest['logprobs'] {
  const { include, top_logprobs: top } = body
  const enabled = Array.isArray(include) && include.includes(LOGPROBS_INCLUDED)
  const count = optionalCount(top, '/top_logprobs')
  return enabled || count !== null ? { enabled, top: count } : null
}

/** Null for a format that only this protocol knows. */
function decodeFormat(value: unknown): OutputFormat | null {
  const format = optionalRecord(value, '/text/format')
  switch (format?.['type']) {
    case 'text':
      return { type: 'text' }
    case 'json_object':
      return { type: 'json' }
    case 'json_schema':
      return {
        type: 'schema',
        name: optionalText(format['name'], '/text/format/name'),
        description: optionalText(format['description'], '/text/format/description'),
        schema: format['schema'] ?? null,
        strict: optionalFlag(format['strict'], '/text/format/strict'),
      }
    default:
      return null
  }
}

function decodeReasoning(reasoning: Members | null): ReasoningControl | null {
  if (reasoning === null) return null
  const effort = optionalText(reasoning['effort'], '/reasoning/effort')
  const summary = optionalText(reasoning['summary'], '/reasoning/summary')
  // The last three are words of hosts beyond OpenAI.
  const enabled = optionalFlag(reasoning['enabled'], '/reasoning/enabled')
  const budgetTokens = optionalCount(reasoning['max_tokens'], '/reasoning/max_tokens')
  const isHidden = optionalFlag(reasoning['exclude'], '/reasoning/exclude')
  if ([effort, summary, enabled, budgetTokens, isHidden].every((value) => value === null)) return null
  return {
    enabled: effort === 'none' ? false : enabled,
    effort,
    budgetTokens,
    isAdaptive: false,
    isShown: isHidden === null ? (summary === null ? null : true) : !isHidden,
    summary,
  }
}

/** `safety_identifier` took the place of `user`. */
function endUserMember(body: Members): 'safety_identifier' | 'user' {
  return typeof body['safety_identifier'] === 'string' ? 'safety_identifier' : 'user'
}

/** Neutral name -> member of the body. */
const MEMBERS: readonly (readonly [string, string])[] = [
  ...SAMPLING_MEMBERS,
  ['input', 'input'],
  ['outputTokensMax', 'max_output_tokens'],
  ['parallelToolCalls', 'parallel_tool_calls'],
  ['toolChoice', 'tool_choice'],
  ['tools', 'tools'],
  ['reasoning', 'reasoning'],
  ['serviceTier', 'service_tier'],
  ['metadata', 'metadata'],
  ['promptCacheKey', 'prompt_cache_key'],
  ['stream', 'stream'],
]

function pathsOf(body: Members, text: Members | null): Record<string, string> {
  const paths: Record<string, string> = {}
  const isSaid = (value: unknown): boolean => value !== undefined && value !== null
  for (const [name, member] of MEMBERS) if (isSaid(body[member])) paths[name] = `/${member}`
  if (isSaid(text?.['format'])) paths['format'] = '/text/format'
  if (isSaid(text?.['verbosity'])) paths['verbosity'] = '/text/verbosity'
  const endUser = endUserMember(body)
  if (isSaid(body[endUser])) paths['endUser'] = `/${endUser}`
  const logprobs = decodeLogprobs(body)
  if (logprobs) paths['logprobs'] = logprobs.enabled ? '/include' : '/top_logprobs'
  return paths
}

const NEUTRAL = new Set(['model', 'instructions', 'top_logprobs', 'text', ...MEMBERS.map(([, member]) => member)])
const NEUTRAL_REASONING = new Set(['effort', 'summary', 'enabled', 'max_tokens', 'exclude'])
const NEUTRAL_TEXT = new Set(['verbosity', 'format'])
const NEUTRAL_FORMAT = new Set(['type', 'name', 'description', 'schema', 'strict'])

/** What the gateway itself sees to: it keeps answers, resolves their ids and carries encrypted reasoning. */
const SEEN_TO = new Set(['store', 'include', 'previous_response_id'])
/** What changes nothing when it is said. */
const PLAIN: Members = { background: false, truncation: 'disabled' }

/** What has no neutral name, also within `text` and `reasoning`. */
function extensionMembers(body: Members, text: Members | null, reasoning: Members | null): Members {
  const plain = Object.keys(PLAIN).filter((name) => body[name] === PLAIN[name])
  const known = new Set([...NEUTRAL, endUserMember(body)])
  const members = restOf(body, known, new Set([...SEEN_TO, ...plain])) ?? {}
  const nested = { text: text && textExtension(text), reasoning: reasoning && restOf(reasoning, NEUTRAL_REASONING) }
  return Object.entries(nested).reduce(
    (rest, [name, more]) =>
      more === null ? rest : isDeclared(more) ? { ...rest, [name]: more } : withAside(rest, { [name]: more }),
    members,
  )
}

/** A format of a type that nobody knows stays here as a whole. */
function textExtension(text: Members): Members | null {
  const rest = restOf(text, NEUTRAL_TEXT)
  const format = text['format']
  if (!isRecord(format)) return rest
  const more = decodeFormat(format) === null ? format : restOf(format, NEUTRAL_FORMAT)
  if (more === null) return rest
  return isDeclared(more) ? { ...rest, format: more } : withAside(rest, { format: more })
}
