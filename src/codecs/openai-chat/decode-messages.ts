import type { Block, ReasoningBlock, Seal, TextBlock, ToolCallBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import { readContent } from './decode-content.ts'
import {
  cacheControlOf,
  isObject,
  malformed,
  type Members,
  optionalList,
  optionalText,
  ownExt,
  restOf,
  restWithin,
  stringOrNull,
} from './members.ts'
import { interleave, readDetails } from './reasoning-details.ts'

type CallKinds = Map<string, ToolCallBlock['kind']>

/** The messages as turns, one each and in their order. */
export function readMessages(value: unknown): Turn[] {
  if (!Array.isArray(value)) throw malformed('/messages', 'must be a list of messages')
  const kinds: CallKinds = new Map()
  return value.map((message: unknown, index) => readMessage(message, `/messages/${index}`, kinds))
}

function readMessage(value: unknown, path: string, kinds: CallKinds): Turn {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  const { role } = value
  switch (role) {
    case 'system':
    case 'developer':
    case 'user':
      return turnOf(role, readContent(value['content'], `${path}/content`), value, path, restOf(value, PLAIN_MEMBERS))
    case 'assistant':
      return turnOf(role, readAssistant(value, path, kinds), value, path, assistantRest(value))
    case 'tool':
    case 'function':
      return readResult(value, path, kinds)
    default:
      throw malformed(`${path}/role`, 'must be one of system, developer, user, assistant, tool and function')
  }
}

const PLAIN_MEMBERS = new Set(['role', 'content', 'name', 'cache_control'])
const ASSISTANT_MEMBERS = new Set([
  ...PLAIN_MEMBERS,
  'refusal',
  'tool_calls',
  'function_call',
  'reasoning_content',
  'reasoning',
])
const RESULT_MEMBERS = new Set([...PLAIN_MEMBERS, 'tool_call_id'])

function turnOf(role: Turn['role'], blocks: readonly Block[], message: Members, path: string, rest: Members): Turn {
  const name = optionalText(message, 'name', path)
  return {
    role,
    blocks: withCacheControl(blocks, message),
    path,
    ...(name === null ? {} : { name }),
    ...ownExt(rest),
  }
}

/** A list of details with entries became blocks; an empty one says nothing and is kept as it stood. */
function assistantRest(message: Members): Members {
  const { reasoning_details: details, ...rest } = restOf(message, ASSISTANT_MEMBERS)
  return Array.isArray(details) && details.length === 0 ? { ...rest, reasoning_details: details } : rest
}

/** Some hosts take the breakpoint on the message: it stands behind the last part. */
function withCacheControl(blocks: readonly Block[], message: Members): readonly Block[] {
  const cacheControl = cacheControlOf(message)
  const last = blocks.at(-1)
  if (cacheControl.cacheControl === undefined || !last || last.cacheControl !== undefined) return blocks
  return [...blocks.slice(0, -1), { ...last, ...cacheControl }]
}

function readAssistant(message: Members, path: string, kinds: CallKinds): Block[] {
  const content = [...readContent(message['content'], `${path}/content`)]
  const refusal = optionalText(message, 'refusal', path)
  if (refusal !== null) content.push({ type: 'refusal', path: `${path}/refusal`, text: refusal })
  const calls = readCalls(message, path)
  for (const { id, kind } of calls) if (id !== null) kinds.set(id, kind)
  const shown = shownReasoning(message, path)
  const entries = optionalList(message, 'reasoning_details', path) ?? []
  if (entries.length === 0) return [...(shown ? [shown] : []), ...content, ...calls]
  const details = readDetails(entries, shown?.text ?? '', shown?.path ?? `${path}/reasoning_details`)
  const rest = [...withTextSeals(content, details.texts, path), ...withCallSeals(calls, details.calls)]
  if (details.reasoning.length === 0 && shown) return [shown, ...rest]
  return interleave(details.reasoning, rest)
}

/** Hosts spell it either way; who says it twice says the same twice. */
function shownReasoning(message: Members, path: string): ReasoningBlock | null {
  const told = optionalText(message, 'reasoning_content', path)
  const text = told ?? optionalText(message, 'reasoning', path)
  if (text === null) return null
  const name = told === null ? 'reasoning' : 'reasoning_content'
  return { type: 'reasoning', path: `${path}/${name}`, text, seal: null, id: null }
}

function readCalls(message: Members, path: string): ToolCallBlock[] {
  const calls = (optionalList(message, 'tool_calls', path) ?? []).map((call, index) =>
    readCall(call, `${path}/tool_calls/${index}`),
  )
  const legacy = message['function_call'] ?? null
  if (legacy !== null) calls.push({ ...calledFunction(legacy, `${path}/function_call`), id: null })
  return calls
}

/** `index` is a trace of the stream the call came in. */
const CALL_MEMBERS = new Set(['id', 'type', 'index', 'function', 'custom', 'cache_control'])
const FUNCTION_MEMBERS = new Set(['name', 'arguments'])
const CUSTOM_MEMBERS = new Set(['name', 'input'])

function readCall(value: unknown, path: string): ToolCallBlock {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  const id = optionalText(value, 'id', path)
  const isCustom = value['type'] === 'custom' || (!isObject(value['function']) && isObject(value['custom']))
  const called = isCustom
    ? calledTool(value['custom'], `${path}/custom`)
    : calledFunction(value['function'], `${path}/function`)
  const rest = restOf(value, CALL_MEMBERS)
  if (!isCustom && typeof value['type'] === 'string' && value['type'] !== 'function') rest['type'] = value['type']
  return {
    ...called,
    path,
    id: id === '' ? null : id,
    ...cacheControlOf(value),
    ...ownExt({ ...rest, ...called.ext?.['openai-chat'] }),
  }
}

function calledFunction(value: unknown, path: string): ToolCallBlock {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  const given = value['arguments'] ?? ''
  return {
    type: 'tool-call',
    kind: 'function',
    path,
    id: null,
    name: calledName(value, path),
    arguments: typeof given === 'string' ? given : JSON.stringify(given),
    ...ownExt(restWithin('function', value, FUNCTION_MEMBERS)),
  }
}

function calledTool(value: unknown, path: string): ToolCallBlock {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  return {
    type: 'tool-call',
    kind: 'custom',
    path,
    id: null,
    name: calledName(value, path),
    arguments: optionalText(value, 'input', path) ?? '',
    ...ownExt(restWithin('custom', value, CUSTOM_MEMBERS)),
  }
}

function calledName(members: Members, path: string): string {
  const { name } = members
  if (typeof name !== 'string') throw malformed(`${path}/name`, 'must be a string')
  return name
}

/** A result's content is not the turn's: the cache breakpoint of the message goes with the result. */
function readResult(message: Members, path: string, kinds: CallKinds): Turn {
  const callId = stringOrNull(message['tool_call_id']) || null
  const result: Block = {
    type: 'tool-result',
    path,
    callId,
    name: optionalText(message, 'name', path),
    content: readContent(message['content'], `${path}/content`),
    isError: null,
    kind: (callId === null ? undefined : kinds.get(callId)) ?? 'function',
    ...cacheControlOf(message),
    ...ownExt(restOf(message, RESULT_MEMBERS)),
  }
  return { role: 'tool', blocks: [result], path }
}

function withCallSeals(
  calls: readonly ToolCallBlock[],
  seals: readonly { readonly id: string | null; readonly seal: Seal }[],
): ToolCallBlock[] {
  const sealed = [...calls]
  for (const { id, seal } of seals) {
    const named = sealed.findIndex((call) => call.id === id && call.seal === undefined)
    const index = named >= 0 ? named : sealed.findIndex((call) => call.seal === undefined)
    if (index >= 0) sealed[index] = { ...sealed[index]!, seal }
  }
  return sealed
}

/** The message has one text; a model that signs empty ones still needs its signature back. */
function withTextSeals(content: readonly Block[], seals: readonly Seal[], path: string): Block[] {
  const blocks = [...content]
  for (const seal of seals) {
    const index = blocks.findLastIndex((block) => block.type === 'text' && block.seal === undefined)
    if (index >= 0) blocks[index] = { ...(blocks[index] as TextBlock), seal }
    else blocks.push({ type: 'text', path: `${path}/content`, text: '', seal })
  }
  return blocks
}
