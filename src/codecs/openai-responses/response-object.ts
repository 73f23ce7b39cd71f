import { rawNumber } from '#base/exact-json.ts'
import type { Failure } from '#codecs/codec.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import type { Finish } from '#ir/chat-event.ts'
import { sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { isRecord, type Members } from './members.ts'

/** How an answer ended, as the response object tells it. */
export interface Ending {
  readonly status: 'completed' | 'incomplete' | 'failed'
  readonly incompleteReason: 'max_output_tokens' | 'content_filter' | null
  readonly error: { readonly code: string; readonly message: string } | null
}

export function endingOf(finish: Finish | null): Ending {
  switch (finish?.reason) {
    case 'length':
    // A turn that was paused is not done, and there is no other word for that (R87).
    case 'pause':
      return { status: 'incomplete', incompleteReason: 'max_output_tokens', error: null }
    case 'content-filter':
      return { status: 'incomplete', incompleteReason: 'content_filter', error: null }
    case 'error': {
      const message = `The model ended its answer with ${finish.raw ?? 'an error'}.`
      return { status: 'failed', incompleteReason: null, error: { code: 'server_error', message } }
    }
    default:
      return { status: 'completed', incompleteReason: null, error: null }
  }
}

export function endingOfFailure(failure: Failure): Ending {
  const error = { code: failure.upstreamCode ?? failure.code, message: failure.message }
  return { status: 'failed', incompleteReason: null, error }
}

/** The response object before there is any output. */
export function openResponse(context: AnswerContext): Members {
  return responseOf(context, {}, { status: 'in_progress', error: null, incomplete: null, output: [], usage: null })
}

/** The response object that ends the answer. `told` is what the upstream said of itself in the same protocol. */
export function endedResponse(
  context: AnswerContext,
  told: Members,
  ending: Ending,
  output: readonly unknown[],
  usage: Usage | null,
): Members {
  return responseOf(context, told, {
    status: ending.status,
    error: ending.error,
    incomplete: ending.incompleteReason === null ? null : { reason: ending.incompleteReason },
    output,
    usage: usage === null ? null : usageMembers(usage, context),
  })
}

interface ResponseState {
  readonly status: string
  readonly error: unknown
  readonly incomplete: unknown
  readonly output: readonly unknown[]
  readonly usage: unknown
}

/** What the service does where the client says nothing, as OpenAI repeats it. */
const DEFAULTS: Members = {
  background: false,
  frequency_penalty: 0,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  presence_penalty: 0,
  previous_response_id: null,
  prompt_cache_key: null,
  safety_identifier: null,
  service_tier: 'auto',
  store: true,
  temperature: 1,
  tool_choice: 'auto',
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
}

/** Further members of a request that are repeated when the client says them. */
const REPEATED_WHEN_SAID = ['conversation', 'prompt', 'prompt_cache_retention', 'prompt_cache_options'] as const

function responseOf(context: AnswerContext, told: Members, state: ResponseState): Members {
  const { requestBody: body } = context
  const members: Record<string, unknown> = {
    id: `resp_${context.id}`,
    object: 'response',
    created_at: context.createdAt,
    status: state.status,
    completed_at: null,
    error: state.error,
    incomplete_details: state.incomplete,
    model: context.model,
    output: state.output,
    ...DEFAULTS,
    reasoning: { effort: null, summary: null },
    ...told,
  }
  for (const name of Object.keys(DEFAULTS)) if (isSaid(body[name])) members[name] = body[name]
  for (const name of REPEATED_WHEN_SAID) if (isSaid(body[name])) members[name] = body[name]
  // The tier that was used is the upstream's to tell.
  if (told['service_tier'] !== undefined) members['service_tier'] = told['service_tier']
  members['reasoning'] = { ...(members['reasoning'] as Members), ...saidMembers(body['reasoning']) }
  members['text'] = { format: { type: 'text' }, ...saidMembers(body['text']) }
  members['tools'] = Array.isArray(body['tools']) ? body['tools'].map(toolMembers) : []
  members['usage'] = state.usage
  return members
}

const isSaid = (value: unknown): boolean => value !== undefined && value !== null

function saidMembers(value: unknown): Members {
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).filter(([, member]) => isSaid(member)))
}

/** A function always has parameters in the answer. */
function toolMembers(tool: unknown): unknown {
  return isRecord(tool) && tool['type'] === 'function' ? { parameters: null, ...tool } : tool
}

/** `usage`: what was not reported is not told, but for the sums that the API always has. */
function usageMembers(usage: Usage, { costOf, isOpenRouter }: AnswerContext): Members {
  const { input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning } = usage
  const prompt = sumOf(input, cacheRead, cacheWrite, cacheWrite1h) ?? 0
  const completion = output ?? 0
  const written = sumOf(cacheWrite, cacheWrite1h)
  // OpenRouter's SDK refuses an answer without these counts.
  const cached = cacheRead ?? (isOpenRouter ? 0 : null)
  const thought = reasoning ?? (isOpenRouter ? 0 : null)
  const cost = costOf(usage)
  return {
    input_tokens: prompt,
    ...(cached === null && written === null
      ? {}
      : {
          input_tokens_details: {
            ...(cached === null ? {} : { cached_tokens: cached }),
            ...(written === null ? {} : { cache_write_tokens: written }),
          },
        }),
    output_tokens: completion,
    ...(thought === null ? {} : { output_tokens_details: { reasoning_tokens: thought } }),
    total_tokens: prompt + completion,
    // As a number whose digits are the ledger's own.
    ...(cost === null ? {} : { cost: rawNumber(cost) }),
  }
}
