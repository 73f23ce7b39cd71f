import type { BlockHead } from '#ir/chat-event.ts'

/** Each kind of delta has one member that says it. */
export const DELTA_MEMBERS = {
  text_delta: 'text',
  thinking_delta: 'thinking',
  signature_delta: 'signature',
  input_json_delta: 'partial_json',
  citations_delta: 'citation',
  compaction_delta: 'content',
} as const
export const DELTA_END = '}}\n\n'

export const DELTAS: Readonly<Record<BlockHead['type'], keyof typeof DELTA_MEMBERS>> = {
  text: 'text_delta',
  refusal: 'text_delta',
  reasoning: 'thinking_delta',
  'tool-call': 'input_json_delta',
  media: 'text_delta',
  opaque: 'text_delta',
}

export const CUSTOM_START = '{"input":"'
export const CUSTOM_END = '"}'

/** A text as it stands inside a JSON string. */
export function insideString(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

export function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Everything of a delta's event before its text. */
export function deltaPrefix(index: number, type: keyof typeof DELTA_MEMBERS): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${DELTA_MEMBERS[type]}":`
}
