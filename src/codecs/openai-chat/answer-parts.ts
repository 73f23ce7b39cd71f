import { rawNumber } from '#base/exact-json.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Citation, Seal } from '#ir/blocks.ts'
import type { BlockHead, Finish } from '#ir/chat-event.ts'
import { sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import { dataUrlOf } from './media.ts'
import { isObject, type Members, PROTOCOL } from './members.ts'
import { sealedValue } from './reasoning-details.ts'

/** What a streamed and a whole answer have in common. */

export const answerId = ({ id }: AnswerContext): string => `chatcmpl-${id}`

/** A client that declared `functions` reads `function_call`, the form of 2023, and knows no `tool_calls`. */
export function isLegacyClient({ requestBody }: AnswerContext): boolean {
  return Array.isArray(requestBody['functions']) && !Array.isArray(requestBody['tools'])
}

/** Whether the client wants to see what the model thought. Its seals go out in any case: they must come back. */
export function showsReasoning({ request }: AnswerContext): boolean {
  return request.reasoning?.isShown !== false
}

/** `usage` in OpenAI's terms; `cost` is in USD, digit for digit. */
export function usageOf(usage: Usage, context: AnswerContext): Members {
  const { input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning } = usage
  const prompt = sumOf(input, cacheRead, cacheWrite, cacheWrite1h) ?? 0
  const written = sumOf(cacheWrite, cacheWrite1h)
  const promptDetails = {
    ...(cacheRead === null ? {} : { cached_tokens: cacheRead }),
    ...(written === null ? {} : { cache_write_tokens: written }),
  }
  const cost = context.costOf(usage)
  return {
    prompt_tokens: prompt,
    completion_tokens: output ?? 0,
    total_tokens: prompt + (output ?? 0),
    ...(Object.keys(promptDetails).length === 0 ? {} : { prompt_tokens_details: promptDetails }),
    ...(reasoning === null ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
    ...(cost === null ? {} : { cost: rawNumber(cost) }),
  }
}

/** What stands beside the finish `error`, which is none of OpenAI's words. */
export function finishError(finish: Finish | null): Members {
  const told = finish?.raw ? `: ${finish.raw}` : ''
  return {
    message: `The model failed to answer${told}.`,
    type: 'server_error',
    code: 'upstream_bad_response',
    param: null,
  }
}

/**
 * A source as an annotation; null for one without an address, which clients cannot show. A source that told no place in the
 * text stands for all of its block, `[start, end)`. `index` counts the annotations: OpenAI's Python library puts the lists
 * of a stream together by it.
 */
export function annotationOf(citation: Citation, start: number, end: number, index: number): unknown {
  const { native, url, title, citedText, startIndex, endIndex } = citation
  if (native?.issuer === PROTOCOL) return native.value
  if (url === undefined) return null
  const hasPlace = startIndex !== undefined && endIndex !== undefined
  return {
    type: 'url_citation',
    index,
    url_citation: {
      url,
      title: title ?? '',
      start_index: hasPlace ? start + startIndex : start,
      end_index: hasPlace ? start + endIndex : end,
      ...(citedText === undefined ? {} : { content: citedText }),
    },
  }
}

type MediaHead = Extract<BlockHead, { type: 'media' }>

/** OpenRouter's form of an image in the answer; `index` counts them. */
export function imageOf({ mimeType, data }: MediaHead, index: number): Members {
  return { type: 'image_url', index, image_url: { url: dataUrlOf(mimeType, data) } }
}

/** What a block that only this protocol understands adds to the message; content is text here, so that foreign parts are none. */
export function ownBlockMembers(issuer: Protocol, value: unknown): Members {
  if (issuer !== PROTOCOL || !isObject(value)) return {}
  const { content: _content, ...members } = value
  return members
}

/** Whether a message has a place for the block. */
export function hasPlace(head: BlockHead): boolean {
  return head.type === 'media' ? head.kind !== 'video' : head.type !== 'opaque' || head.issuer === PROTOCOL
}

/** What a host of this protocol wants back with the call. */
export function sealedCallMembers(seal: Seal | undefined): Members {
  const value = seal?.issuer === PROTOCOL ? sealedValue(seal) : null
  return isObject(value) ? value : {}
}

/**
 * Counts the parts of one candidate as the client will give them back: all its texts are one part, each reasoning and each
 * call is another. No two seals have the same place, because libraries put entries of one place together.
 */
export class PartPlaces {
  private count = 0
  private readonly joined = new Map<BlockHead['type'], number>()

  /** The place of a block that starts. */
  next(type: BlockHead['type']): number {
    if (type === 'reasoning' || type === 'tool-call') return this.count++
    if (type !== 'text' && type !== 'refusal') return this.count
    const known = this.joined.get(type)
    if (known !== undefined) return known
    this.joined.set(type, this.count)
    return this.count++
  }

  /** The text so far is sealed: another one is a part of its own. */
  endText(): void {
    this.joined.delete('text')
  }
}
