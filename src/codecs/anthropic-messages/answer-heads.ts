import type { AnswerContext } from '#codecs/translation.ts'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead } from '#ir/chat-event.ts'
import { sealEnvelope } from '#codecs/seal-envelope.ts'
import { PROTOCOL } from './members.ts'

/** Forms of blocks that streams and whole answers of this protocol share. */

type ReasoningHead = Extract<BlockHead, { type: 'reasoning' }>

type RedactedThinking = { readonly type: 'redacted_thinking'; readonly data: string }

export function messageHead({ id, model }: AnswerContext): Readonly<Record<string, unknown>> {
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model }
}

/** The signature of visible reasoning: the API's own, or a foreign seal in its envelope. */
export function signatureOf(seal: Seal, head: ReasoningHead): string {
  return seal.issuer === PROTOCOL ? seal.value : reasoningEnvelope(seal, head)
}

/** The signature of foreign reasoning that nobody signed: clients of this protocol know no thinking without one. */
export const UNSIGNED = sealEnvelope([])

/** Reasoning that cannot be seen. A foreign signature of nothing visible has no better place; `text` is what it signs. */
export function redactedOf(seal: Seal, head: ReasoningHead, text: string): RedactedThinking {
  return {
    type: 'redacted_thinking',
    data: seal.issuer === PROTOCOL ? seal.value : reasoningEnvelope(seal, head, text),
  }
}

function reasoningEnvelope(seal: Seal, { id }: ReasoningHead, text = ''): string {
  const more = { ...(text === '' ? {} : { text }), ...(id === null ? {} : { id }) }
  return sealEnvelope([{ seal, place: 'reasoning', ...more }])
}

/** Whether the client wants no reasoning to be shown. An upstream of the same protocol was told so, and does as told. */
export function hidesReasoning({ upstream, request }: AnswerContext): boolean {
  return upstream !== PROTOCOL && request.reasoning?.isShown === false
}

/** The API's own signature needs its own block, even when the text is hidden; all else without text is redacted. */
export function isRedacted(seal: Seal): boolean {
  return seal.kind === 'encrypted' || seal.issuer !== PROTOCOL
}

/** A seal beside a block of a kind that the API does not sign. `text` is told when the block itself is not written. */
export function carrierOf(seal: Seal, place: 'tool-call' | 'text', text?: string): RedactedThinking {
  return {
    type: 'redacted_thinking',
    data: sealEnvelope([{ seal, place, ...(text === undefined ? {} : { text }) }]),
  }
}

/** Between the parts of a summary that other protocols keep apart. */
export const PART_BREAK = '\n\n'
