import { argumentObject, invalidArguments } from '#codecs/argument-object.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import type { Block, MediaBlock, ReasoningBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'
import { type Fields, isObject, without } from './fields.ts'
import { DOCUMENT_MEMBERS, type DocumentNames, encodeMedia } from './media.ts'

/** The reason for which reasoning and seals of others are dropped (B3). */
export const FOREIGN_REASONING = 'foreign_reasoning'

/** What the encoding of one request shares. */
export interface Encoding {
  readonly losses: Losses
  readonly callIds: ReadonlyMap<Block, string>
  readonly names: DocumentNames
  readonly takesCachePoints: boolean
}

/** Members of the client's protocol that have no place here, each declared lost. */
export function loseExtensions(path: string, ext: Extensions | undefined, losses: Losses): void {
  for (const [protocol, members] of Object.entries(ext ?? {}))
    if (protocol !== 'bedrock-converse') losses.unknown(path, members, 'Bedrock knows no such member')
}

/** The breakpoint behind what carries `cacheControl`; null where there is none, or where the model has no cache. */
export function cachePointOf(path: string, cacheControl: unknown, encoding: Encoding): Fields | null {
  if (cacheControl === undefined || cacheControl === null) return null
  if (!encoding.takesCachePoints) {
    encoding.losses.dropped(`${path}/cache_control`, 'the model has no prompt cache')
    return null
  }
  const ttl = isObject(cacheControl) ? cacheControl['ttl'] : undefined
  // Five minutes are what a breakpoint means that says nothing, which older models do not understand otherwise.
  return { cachePoint: { type: 'default', ...(ttl === '1h' ? { ttl } : {}) } }
}

/** The content block of one block; null when it says nothing or cannot be said, which is declared. */
export function encodeBlock(block: Block, role: 'user' | 'assistant', encoding: Encoding): Fields | null {
  const { losses } = encoding
  loseExtensions(block.path, restOfExtensions(block), losses)
  switch (block.type) {
    case 'text':
      if (block.seal) losses.dropped(block.path, FOREIGN_REASONING)
      if (block.citations?.length) losses.dropped(`${block.path}/citations`, 'Bedrock takes no citations of others')
      return encodeText(block.text, block.path, losses)
    case 'refusal':
      return encodeText(block.text, block.path, losses)
    case 'media':
      return encodeMediaOf(block, role, encoding)
    case 'reasoning':
      return encodeReasoning(block, losses)
    case 'tool-call':
      return encodeCall(block, encoding)
    case 'tool-result':
      return encodeResult(block, encoding)
    case 'opaque':
      if (block.issuer === 'bedrock-converse' && isObject(block.value)) return block.value
      losses.dropped(block.path, `only ${block.issuer} understands it`)
      return null
    default: {
      const missed: never = block
      throw new Error(`unknown block ${String(missed)}`)
    }
  }
}

/** Converse refuses blank text. An empty one says nothing; blanks alone are declared. */
function encodeText(text: string, path: string, losses: Losses): Fields | null {
  if (text.trim() !== '') return { text }
  if (text !== '') losses.dropped(path, 'Bedrock takes no blank text')
  return null
}

/** The members that a document does not take over. */
function restOfExtensions(block: Block): Extensions | undefined {
  const { ext } = block
  const members = ext?.['anthropic-messages']
  if (block.type !== 'media' || block.kind !== 'document' || !members) return ext
  return { ...ext, 'anthropic-messages': without(members, DOCUMENT_MEMBERS) }
}

function encodeMediaOf(block: MediaBlock, role: 'user' | 'assistant', { names, losses }: Encoding): Fields | null {
  if (block.seal) losses.dropped(block.path, FOREIGN_REASONING)
  if (role === 'user') return encodeMedia(block, names, losses)
  losses.severe(block.path, 'Bedrock takes media from the user only')
  return null
}

/** Reasoning goes back to who issued it and to nobody else; what is unsigned could be anybody's (B3). */
function encodeReasoning({ seal, text, path }: ReasoningBlock, losses: Losses): Fields | null {
  if (seal?.issuer !== 'bedrock-converse') {
    losses.dropped(path, FOREIGN_REASONING)
    return null
  }
  return seal.kind === 'signature'
    ? { reasoningContent: { reasoningText: { text, signature: seal.value } } }
    : { reasoningContent: { redactedContent: seal.value } }
}

function encodeCall(block: ToolCallBlock, { callIds, losses }: Encoding): Fields {
  if (block.seal) losses.dropped(block.path, FOREIGN_REASONING)
  return { toolUse: { toolUseId: callIds.get(block)!, name: block.name, input: inputOf(block, losses) } }
}

/** A call's arguments as the object that Converse wants. What is none is kept as text, so that nothing is lost. */
function inputOf({ arguments: text, kind, path }: ToolCallBlock, losses: Losses): unknown {
  if (kind === 'custom') return { [CUSTOM_TOOL_PARAMETER]: text }
  const input = argumentObject(text)
  if (invalidArguments(input) !== null) losses.rewritten(path, 'the arguments are no JSON object')
  return input
}

function encodeResult(block: ToolResultBlock, encoding: Encoding): Fields {
  const { isError, value } = block
  // Beside a value, the text says the same, and what is no text says more.
  const content = isObject(value)
    ? [
        { json: value },
        ...encodeResultContent(
          block.content.filter(({ type }) => type !== 'text'),
          encoding,
        ),
      ]
    : encodeResultContent(block.content, encoding)
  return {
    toolResult: {
      toolUseId: encoding.callIds.get(block)!,
      content,
      ...(isError === null ? {} : { status: isError ? 'error' : 'success' }),
    },
  }
}

function encodeResultContent(content: readonly Block[], encoding: Encoding): Fields[] {
  return content.map((inner) => encodeBlock(inner, 'user', encoding)).filter((inner) => inner !== null)
}

/** The breakpoint that belongs behind a block: its own, or the last one within a result, which cannot hold it. */
export function cachePointAfter(block: Block, encoding: Encoding): Fields | null {
  const inner = block.type === 'tool-result' ? block.content.findLast((each) => each.cacheControl != null) : undefined
  const { path, cacheControl } = block.cacheControl != null || !inner ? block : inner
  return cachePointOf(path, cacheControl, encoding)
}
