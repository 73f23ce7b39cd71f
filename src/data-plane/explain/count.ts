import { parseFaithfulJson } from '#base/exact-json.ts'
import { CLIENT_CODECS } from '#codecs/index.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'
import { countTokens } from '#tokens/count-tokens.ts'

/** Tokens of a prompt; `method` says how they were found, `errorBoundPercent` how far off they may be. */
export interface PromptCount {
  readonly tokens: number
  readonly method: 'client' | 'tokenizer' | 'bytes'
  readonly errorBoundPercent: number
}

/** Bytes say little about tokens. */
const BYTES_ERROR_PERCENT = 75

/** Counts here, by the model's own tokenizer where it is known (B4); what the client says itself stands. */
export async function countOf(parsed: Parsed, target: Target): Promise<PromptCount> {
  const said = parsed.wishes?.contextTokens
  if (said != null) return { tokens: said, method: 'client', errorBoundPercent: 0 }
  const codec = parsed.surface === 'openai-embeddings' ? undefined : CLIENT_CODECS[parsed.surface]
  if (parsed.operation === 'embed' || !codec)
    return { tokens: promptEstimate(parsed), method: 'bytes', errorBoundPercent: BYTES_ERROR_PERCENT }
  const request = codec.decodeRequest(parseFaithfulJson(parsed.body.toString('utf8')), { stream: false })
  const { route, protocol } = target
  const { tokens, errorBoundPercent } = await countTokens(request, {
    id: route.upstreamModel,
    vendor: route.model.vendor,
    protocol,
  })
  return { tokens, method: 'tokenizer', errorBoundPercent: Math.min(100, errorBoundPercent) }
}
