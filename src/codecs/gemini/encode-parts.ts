import type { Block, MediaBlock, Seal, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import { textOf } from '#ir/collect.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'
import { argumentObject, invalidArguments, objectOf } from '#codecs/argument-object.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import { upstreamCallId } from './call-ids.ts'
import type { CallNames } from './call-names.ts'
import { isObject, withExtension } from './members.ts'
import { typeOfData, typeOfKind, typeOfUrl } from './media-types.ts'

export type Part = Readonly<Record<string, unknown>>

/** What the parts of one request need to know of each other. */
export interface PartContext {
  readonly losses: Losses
  readonly calls: CallNames
  /** Whether results may hold media themselves (from Gemini 3 on); else media stand behind the results. */
  readonly hasMediaInResults: boolean
}

/** The parts that say what a block says: none for what is lost, several for a result with media of its own. */
export function partsOfBlock(block: Block, context: PartContext): readonly Part[] {
  const { losses } = context
  loseForeign(block.ext, block.path, losses)
  if (block.cacheControl !== undefined && block.cacheControl !== null)
    losses.dropped(`${block.path}/cache_control`, 'Gemini caches without breakpoints')
  switch (block.type) {
    case 'text':
      if (block.citations?.length) losses.dropped(`${block.path}/citations`, 'Gemini takes no citations')
      return [withOwn(block, { text: block.text, ...signatureOf(block.seal, block.path, losses) })]
    case 'refusal':
      losses.rewritten(block.path, 'a refusal is sent as text')
      return [{ text: block.text }]
    case 'media':
      return mediaParts(block, losses).map((part) => withOwn(block, part))
    case 'reasoning':
      return reasoningParts(block, losses)
    case 'tool-call':
      return [callPart(block, losses)]
    case 'tool-result':
      return resultParts(block, context)
    case 'opaque':
      if (block.issuer === 'gemini' && isObject(block.value)) return [block.value]
      losses.dropped(block.path, `only ${block.issuer} understands it`)
      return []
    default: {
      const missed: never = block
      throw new Error(`no part for ${String(missed)}`)
    }
  }
}

const withOwn = (block: Block, part: Part): Part => withExtension(part, block.ext?.gemini)

/** Members that only other protocols know are lost, each of them. */
export function loseForeign(ext: Extensions | undefined, path: string, losses: Losses): void {
  if (ext === undefined) return
  for (const [protocol, members] of Object.entries(ext))
    if (protocol !== 'gemini') losses.unknown(path, members, 'Gemini knows no such member')
}

/** A seal goes back to its issuer, byte for byte, and to nobody else (B3). */
function signatureOf(seal: Seal | null | undefined, path: string, losses: Losses): { thoughtSignature?: string } {
  if (!seal) return {}
  if (seal.issuer === 'gemini') return { thoughtSignature: seal.value }
  losses.dropped(path, 'foreign_reasoning')
  return {}
}

function reasoningParts(block: Extract<Block, { type: 'reasoning' }>, losses: Losses): readonly Part[] {
  const { text, seal } = block
  const isOwn = seal === null ? block.ext?.gemini?.['thought'] === true : seal.issuer === 'gemini'
  if (isOwn) return [withOwn(block, { text, thought: true, ...signatureOf(seal, block.path, losses) })]
  losses.dropped(block.path, 'foreign_reasoning')
  return []
}

function callPart(block: ToolCallBlock, losses: Losses): Part {
  const id = upstreamCallId(block.id)
  const extension = block.ext?.gemini
  const own = isObject(extension?.['functionCall']) ? extension['functionCall'] : {}
  const isInPieces = 'partialArgs' in own || 'willContinue' in own
  const call = {
    ...(id === null ? {} : { id }),
    name: block.name,
    ...(isInPieces ? {} : { args: argumentsOf(block, losses) }),
  }
  return withOwn(block, { functionCall: call, ...signatureOf(block.seal, block.path, losses) })
}

function argumentsOf(block: ToolCallBlock, losses: Losses): unknown {
  if (block.kind === 'custom') return { [CUSTOM_TOOL_PARAMETER]: block.arguments }
  const args = argumentObject(block.arguments)
  if (invalidArguments(args) !== null)
    losses.rewritten(block.path, 'arguments that are no JSON object are sent as text')
  return args
}

function resultParts(block: ToolResultBlock, context: PartContext): readonly Part[] {
  const { losses } = context
  const name = context.calls.nameOf(block)
  const id = upstreamCallId(block.callId)
  const media: Part[] = []
  for (const each of block.content) {
    loseForeign(each.ext, each.path, losses)
    if (each.type === 'text') signatureOf(each.seal, each.path, losses)
    else if (each.type === 'media') media.push(...mediaParts(each, losses).map((part) => withOwn(each, part)))
    else if (each.type === 'opaque' && each.issuer === 'gemini' && isObject(each.value)) media.push(each.value)
    else losses.dropped(each.path, 'a result has text and media alone')
  }
  // A client that speaks Gemini chose itself where its media stand.
  const isInside = media.length > 0 && (context.hasMediaInResults || block.value !== undefined)
  if (media.length > 0 && !isInside) losses.rewritten(block.path, 'media of a result stand behind the result')
  const result = {
    ...(id === null ? {} : { id }),
    name,
    ...responseOf(block, textOf(block.content)),
    ...(isInside ? { parts: media } : {}),
  }
  return [withOwn(block, { functionResponse: result }), ...(isInside ? [] : media)]
}

/** A result is an object: the client's own where its text is one, else `{result}` or `{error}`. */
function responseOf(block: ToolResultBlock, text: string): { response: unknown } {
  if (block.value !== undefined) return { response: isObject(block.value) ? block.value : { result: block.value } }
  if (block.isError === true) return { response: { error: text } }
  return { response: objectOf(text) ?? { result: text } }
}

function mediaParts(block: MediaBlock, losses: Losses): readonly Part[] {
  const { source, kind, path } = block
  for (const name of ['filename', 'title', 'detail'] as const)
    if (block[name] !== undefined) losses.dropped(path, `Gemini takes no ${name}`)
  const signature = signatureOf(block.seal, path, losses)
  switch (source.type) {
    case 'base64': {
      const mimeType = source.mimeType ?? typeOfData(kind, source.data)
      return [{ inlineData: { mimeType, data: source.data }, ...signature }]
    }
    case 'url': {
      const mimeType = source.mimeType ?? typeOfUrl(source.url) ?? typeOfKind(kind)
      return [{ fileData: { mimeType, fileUri: source.url }, ...signature }]
    }
    case 'text': {
      const data = Buffer.from(source.text).toString('base64')
      return [{ inlineData: { mimeType: source.mimeType ?? 'text/plain', data }, ...signature }]
    }
    case 'file':
      if (source.issuer === 'gemini') {
        const type = source.mimeType === null ? {} : { mimeType: source.mimeType }
        return [{ fileData: { ...type, fileUri: source.id }, ...signature }]
      }
      losses.severe(path, `only ${source.issuer} holds this file`)
      return []
    default: {
      const missed: never = source
      throw new Error(`no part for ${String(missed)}`)
    }
  }
}
