import type { Fields } from './fields.ts'

/** What any protocol asks of a model, without the protocol: the only thing that a script sees. */
export interface Prompt {
  /** As the client wrote it; answered unchanged. */
  readonly model: string
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice
  readonly parallelCalls: boolean
  /** `asked`: the client wants reasoning; `refused`: it forbids it; `free`: it said nothing. */
  readonly reasoning: 'asked' | 'refused' | 'free'
  /** A JSON answer is wanted; the schema is null in JSON mode. */
  readonly json: { readonly schema: Fields | null } | null
  readonly stopSequences: readonly string[]
  readonly outputTokensMax: number | null
}

export type Turn = { readonly role: 'system' | 'user' | 'assistant'; readonly parts: readonly Part[] }

export type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'file'; readonly mediaType: string; readonly bytes: Buffer | null; readonly url: string | null }
  | { readonly type: 'think'; readonly text: string; readonly seal: string | null }
  | { readonly type: 'call'; readonly name: string; readonly arguments: string }
  | { readonly type: 'result'; readonly text: string }

export interface Tool {
  readonly name: string
  readonly schema: Fields
}

export type ToolChoice = { readonly mode: 'auto' | 'none' | 'any' } | { readonly mode: 'named'; readonly name: string }

/** Joins the text parts of a turn. */
export function turnText(turn: Turn | undefined): string {
  return (turn?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('')
}
