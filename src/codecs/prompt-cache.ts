import type { Protocol } from '#base/protocols.ts'
import { arrayElements, isArray, isString, ObjectScan } from '#wire/json-scan.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'

/**
 * Marks the prompt of a request for Claude's cache (R89): one member at the top level where the upstream knows it, else
 * the ends of tools, instructions and earlier turns. Works on the bytes, so that nothing else of a body changes.
 */

/** Tokens below which a prompt is not worth a mark; Anthropic's least. */
export const PREFIX_TOKENS_MIN = 1024
/** Bytes of JSON that make a token, seldom fewer: a mark too many costs nothing, because Anthropic ignores it. */
const BYTES_PER_TOKEN = 4
/** Bodies that are shorter are not even looked at. */
export const MARKED_BYTES_MIN = PREFIX_TOKENS_MIN * BYTES_PER_TOKEN

/** `top`: the upstream finds the places itself. `blocks`: they have to be named. */
export type CacheForm = 'top' | 'blocks'

const MARK = '"cache_control":{"type":"ephemeral"}'
const MARKED = Buffer.from('"cache_control"')

/** Shared: scanning is synchronous. */
const SCAN = new ObjectScan(['tools', 'system', 'messages', 'input'])
const [TOOLS, SYSTEM, MESSAGES, INPUT] = [0, 1, 2, 3] as const
const TURN = new ObjectScan(['role', 'content'])
const BLOCK = new ObjectScan(['text', 'defer_loading'])

/** Least tokens of a prefix that this model keeps (Anthropic, "Prompt caching"). */
export function prefixTokensMin(upstreamModel: string): number {
  const name = upstreamModel.toLowerCase()
  if (/claude-(?:haiku-4-5|opus-4-[56])/.test(name)) return 4096
  return /claude-(?:3-5-haiku|3-haiku|haiku-3)/.test(name) ? 2048 : PREFIX_TOKENS_MIN
}

/**
 * The body with marks; null when it is to stay as it is: the client marked it itself, or what stays the same between two
 * requests of a conversation (all but the last turn) is too short. The body is valid JSON.
 */
export function markPrompt(body: Buffer, protocol: Protocol, form: CacheForm, tokensMin: number): Buffer | null {
  if (body.length < tokensMin * BYTES_PER_TOKEN || body.includes(MARKED)) return null
  if (!SCAN.scan(body)) return null
  const list = protocol === 'openai-responses' ? INPUT : MESSAGES
  const turns = SCAN.has(list) ? arrayElements(body, SCAN.start[list]!, SCAN.end[list]!) : []
  if (body.length - lastBytes(list, turns) < tokensMin * BYTES_PER_TOKEN) return null
  if (form === 'top') {
    const start = SCAN.open + 1
    return applyEdits(body, [{ start, end: start, bytes: Buffer.from(`${MARK},`) }])
  }
  const edits = [...toolEdits(body), ...systemEdits(body), ...turnEdits(body, turns)]
  return edits.length === 0 ? null : applyEdits(body, edits)
}

/** Of the part that is new in each request. */
function lastBytes(list: number, turns: readonly number[]): number {
  if (turns.length > 0) return turns.at(-1)! - turns.at(-2)!
  return SCAN.has(list) ? SCAN.end[list]! - SCAN.start[list]! : 0
}

function toolEdits(body: Buffer): Edit[] {
  if (!SCAN.has(TOOLS)) return []
  const tools = arrayElements(body, SCAN.start[TOOLS]!, SCAN.end[TOOLS]!)
  return tools.length === 0 ? [] : blockEdits(body, tools.at(-2)!, tools.at(-1)!)
}

function systemEdits(body: Buffer): Edit[] {
  return SCAN.has(SYSTEM) ? contentEdits(body, SCAN.start[SYSTEM]!, SCAN.end[SYSTEM]!) : []
}

/** The second-to-last turn of the user: what came before it was sent with the last request already. */
function turnEdits(body: Buffer, turns: readonly number[]): Edit[] {
  let users = 0
  for (let at = turns.length - 2; at >= 0; at -= 2) {
    if (!TURN.scan(body, turns[at]!, turns[at + 1]!) || !TURN.has(0) || !TURN.has(1)) continue
    if (body.toString('latin1', TURN.start[0]!, TURN.end[0]!) !== '"user"' || ++users < 2) continue
    return contentEdits(body, TURN.start[1]!, TURN.end[1]!)
  }
  return []
}

/** Content is a text, which becomes a block, or a list of blocks, of which the last is marked. */
function contentEdits(body: Buffer, start: number, end: number): Edit[] {
  if (isArray(body, start)) {
    const blocks = arrayElements(body, start, end)
    return blocks.length === 0 ? [] : blockEdits(body, blocks.at(-2)!, blocks.at(-1)!)
  }
  // An empty text cannot be marked.
  if (!isString(body, start) || end - start <= 2) return []
  return [
    { start, end: start, bytes: Buffer.from('[{"type":"text","text":') },
    { start: end, end, bytes: Buffer.from(`,${MARK}}]`) },
  ]
}

function blockEdits(body: Buffer, start: number, end: number): Edit[] {
  if (!BLOCK.scan(body, start, end) || BLOCK.empty) return []
  const isEmptyText = BLOCK.has(0) && BLOCK.end[0]! - BLOCK.start[0]! <= 2
  // A tool that is loaded later is no part of the prefix, and Anthropic refuses a mark on it.
  const isDeferred = BLOCK.has(1) && body[BLOCK.start[1]!] === 0x74
  if (isEmptyText || isDeferred) return []
  const inside = BLOCK.open + 1
  return [{ start: inside, end: inside, bytes: Buffer.from(`${MARK},`) }]
}
