import type { Block, MediaBlock, ReasoningBlock, Seal, ToolResultBlock } from '#ir/blocks.ts'
import { type CarriedSeal, openEnvelope } from '#codecs/seal-envelope.ts'
import { type Element, extensionOf, invalid, isObject, Members, spellingsOf } from './members.ts'
import { isHeldFile, kindOf, standardBase64, typeOfUrl } from './media-types.ts'

/** A part of a client's content, before reasoning that its signature carries has found its place. */
export interface DecodedPart {
  readonly block: Block
  /** Seals of other issuers for reasoning that goes before this part. */
  readonly carried: readonly CarriedSeal[]
  /** Pieces of the arguments of a call; a part without a name continues the call before it. */
  readonly pieces?: { readonly partialArgs: unknown; readonly isContinuation: boolean }
}

const PART = spellingsOf([
  'text',
  'thought',
  'thoughtSignature',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
])

export function decodePart({ value, path }: Element): DecodedPart {
  const part = new Members(value, path, PART)
  const signature = readSignature(part)
  if (part.has('functionCall')) return decodeCall(part, signature)
  const block = decodeBlock(part, signature, value)
  return { block, carried: signature.carried }
}

function decodeBlock(part: Members, signature: Signature, value: unknown): Block {
  if (part.has('functionResponse')) return decodeResult(part)
  if (part.has('inlineData')) return { ...decodeInlineData(part), ...sealOf(signature) }
  if (part.has('fileData')) return { ...decodeFileData(part), ...sealOf(signature) }
  const text = part.string('text')
  // A signature may stand alone: then it is one of an empty text.
  const isText = text !== null || (part.rest === undefined && part.has('thoughtSignature'))
  if (!isText) return { type: 'opaque', issuer: 'gemini', value, path: part.path }
  if (part.flag('thought') === true) return decodeThought(part, text ?? '', signature.seal)
  return { type: 'text', text: text ?? '', path: part.path, ...sealOf(signature), ...extensionOf(part.rest) }
}

/** A thought without a signature is marked as Gemini's, so that it goes back to Gemini and to nobody else. */
function decodeThought(part: Members, text: string, seal: Seal | null): ReasoningBlock {
  const own = seal === null ? { ...part.rest, thought: true } : part.rest
  return { type: 'reasoning', text, seal, id: null, path: part.path, ...extensionOf(own) }
}

interface Signature {
  readonly seal: Seal | null
  readonly carried: readonly CarriedSeal[]
}

/** A signature is Gemini's own, or the envelope in which an answer of another issuer was given to this client (B3). */
function readSignature(part: Members): Signature {
  const value = part.string('thoughtSignature')
  if (value === null || value === '') return { seal: null, carried: [] }
  const entries = openEnvelope(value)
  if (entries === null) return { seal: { issuer: 'gemini', kind: 'signature', value }, carried: [] }
  return {
    seal: entries.find(({ place }) => place !== 'reasoning')?.seal ?? null,
    carried: entries.filter(({ place }) => place === 'reasoning'),
  }
}

const sealOf = ({ seal }: Signature): { seal?: Seal } => (seal === null ? {} : { seal })

const CALL = spellingsOf(['id', 'name', 'args', 'partialArgs', 'willContinue'])

function decodeCall(part: Members, signature: Signature): DecodedPart {
  const call = new Members(part.get('functionCall'), part.pathOf('functionCall'), CALL)
  const partialArgs = call.get('partialArgs')
  const name = call.string('name')
  const { path } = part
  if (name === null) {
    const block: Block = { type: 'opaque', issuer: 'gemini', value: membersOf(part), path }
    return { block, carried: signature.carried, pieces: { partialArgs, isContinuation: true } }
  }
  const args = call.get('args')
  if (args !== undefined && !isObject(args)) throw invalid(call.pathOf('args'), 'must be an object')
  const own = ownMembers(call)
  const block: Block = {
    type: 'tool-call',
    id: call.string('id'),
    name,
    arguments: args === undefined ? '' : JSON.stringify(args),
    kind: 'function',
    path,
    ...sealOf(signature),
    ...extensionOf(own === undefined ? part.rest : { ...part.rest, functionCall: own }),
  }
  return { block, carried: signature.carried, pieces: { partialArgs, isContinuation: false } }
}

/** A call in pieces goes back to Gemini as it stood: without what the pieces together say. */
function ownMembers(call: Members): Readonly<Record<string, unknown>> | undefined {
  if (!call.has('partialArgs') && !call.has('willContinue')) return call.rest
  const names = ['args', 'partialArgs', 'willContinue'].filter((name) => call.has(name))
  return { ...call.rest, ...Object.fromEntries(names.map((name) => [name, call.get(name)])) }
}

/** The part again, in one spelling. */
function membersOf(part: Members): Readonly<Record<string, unknown>> {
  const signature = part.get('thoughtSignature')
  return {
    ...part.rest,
    functionCall: part.get('functionCall'),
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  }
}

const RESULT = spellingsOf(['id', 'name', 'response', 'parts'])
const RESULT_PART = spellingsOf(['inlineData', 'fileData'])

function decodeResult(part: Members): ToolResultBlock {
  const result = new Members(part.get('functionResponse'), part.pathOf('functionResponse'), RESULT)
  const value = result.get('response')
  const path = result.has('response') ? result.pathOf('response') : part.path
  return {
    type: 'tool-result',
    callId: result.string('id'),
    name: result.string('name'),
    content: [
      ...(value === undefined ? [] : [{ type: 'text' as const, text: textOfResponse(value), path }]),
      ...result.list('parts').map(decodeResultPart),
    ],
    ...(value === undefined ? {} : { value }),
    isError: isObject(value) && Object.keys(value).length === 1 && 'error' in value ? true : null,
    kind: 'function',
    path: part.path,
    ...extensionOf(result.rest === undefined ? part.rest : { ...part.rest, functionResponse: result.rest }),
  }
}

function decodeResultPart({ value, path }: Element): Block {
  const part = new Members(value, path, RESULT_PART)
  if (part.has('inlineData')) return decodeInlineData(part)
  if (part.has('fileData')) return decodeFileData(part)
  return { type: 'opaque', issuer: 'gemini', value, path }
}

/** Names that Google's documents and its SDKs give to a result that is not an object by itself. */
const WRAPPERS = ['result', 'output', 'error']

/**
 * What a result says as text. Google: "Use "output" key to specify function output and "error" key to specify error
 * details. If they are not specified, the whole response is treated as function output."
 */
function textOfResponse(response: unknown): string {
  if (typeof response === 'string') return response
  const [name, ...others] = isObject(response) ? Object.keys(response) : []
  if (isObject(response) && name !== undefined && others.length === 0 && WRAPPERS.includes(name)) {
    const inner = response[name]
    if (typeof inner === 'string') return inner
    if (inner !== null) return JSON.stringify(inner)
  }
  return JSON.stringify(response)
}

const DATA = spellingsOf(['mimeType', 'data'])
const FILE = spellingsOf(['mimeType', 'fileUri'])

function decodeInlineData(part: Members): MediaBlock {
  const blob = new Members(part.get('inlineData'), part.pathOf('inlineData'), DATA)
  const mimeType = blob.string('mimeType')
  return {
    type: 'media',
    kind: kindOf(mimeType),
    source: { type: 'base64', mimeType, data: standardBase64(blob.string('data') ?? '') },
    path: part.path,
    ...extensionOf(blob.rest === undefined ? part.rest : { ...part.rest, inlineData: blob.rest }),
  }
}

function decodeFileData(part: Members): MediaBlock {
  const file = new Members(part.get('fileData'), part.pathOf('fileData'), FILE)
  const url = file.string('fileUri')
  if (url === null) throw invalid(file.pathOf('fileUri'), 'is required')
  const mimeType = file.string('mimeType')
  return {
    type: 'media',
    kind: kindOf(mimeType ?? typeOfUrl(url)),
    source: isHeldFile(url) ? { type: 'file', issuer: 'gemini', id: url, mimeType } : { type: 'url', mimeType, url },
    path: part.path,
    ...extensionOf(file.rest === undefined ? part.rest : { ...part.rest, fileData: file.rest }),
  }
}
