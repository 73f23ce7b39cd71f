import { type CarriedSeal, openEnvelope } from '#codecs/seal-envelope.ts'
import type { Block, ReasoningBlock, Seal, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import { decodeContent } from './decode-parts.ts'
import {
  extensionOf,
  invalid,
  listOf,
  type Members,
  optionalText,
  PROTOCOL,
  recordOf,
  restOf,
  textOf,
} from './members.ts'

/**
 * The turns of `input`: a text, or a list of items of which each becomes one turn. A turn at `/input` was the text, a block whose
 * path ends with the member's name was a text too and no list of parts: so that the same form can be written again.
 */
export function decodeInput(input: unknown): Turn[] {
  if (input === undefined || input === null) return []
  if (typeof input === 'string')
    return [{ role: 'user', blocks: [{ type: 'text', text: input, path: '/input' }], path: '/input' }]
  const decoder = new InputDecoder()
  for (const [index, item] of listOf(input, '/input').entries()) decoder.read(item, `/input/${index}`)
  return decoder.end()
}

const MESSAGE = new Set(['role', 'content'])
const FUNCTION_CALL = new Set(['type', 'call_id', 'name', 'arguments', 'id', 'namespace'])
const CUSTOM_CALL = new Set(['type', 'call_id', 'name', 'input', 'id', 'namespace'])
const OUTPUT = new Set(['type', 'call_id', 'output'])
const REASONING = new Set(['type', 'id', 'summary', 'encrypted_content'])
const MESSAGE_FRAME = new Set(['type', 'id', 'status'])
const FRAME = new Set(['id', 'status'])
const CALL_FRAME = new Set(['status'])
const ROLES: ReadonlySet<unknown> = new Set<Turn['role']>(['system', 'developer', 'user', 'assistant'])

class InputDecoder {
  private readonly turns: Turn[] = []
  /** The seal of the call that comes next, carried by an item of its own. */
  private callSeal: { readonly seal: Seal; readonly path: string } | null = null

  read(value: unknown, path: string): void {
    const item = recordOf(value, path)
    switch (item['type'] ?? 'message') {
      case 'message':
        return this.readMessage(item, path)
      case 'function_call':
        return this.addCall(functionCall(item, path))
      case 'custom_tool_call':
        return this.addCall(customCall(item, path))
      case 'function_call_output':
        return this.add('tool', toolResult(item, path, 'function'))
      case 'custom_tool_call_output':
        return this.add('tool', toolResult(item, path, 'custom'))
      case 'reasoning':
        return this.readReasoning(item, path)
      default:
        return this.add(roleOf(item), { type: 'opaque', issuer: PROTOCOL, value: item, path })
    }
  }

  end(): Turn[] {
    this.keepCallSeal()
    return this.turns
  }

  private add(role: Turn['role'], block: Block): void {
    this.turns.push({ role, blocks: [block], path: block.path })
  }

  private readMessage(item: Members, path: string): void {
    const role = item['role']
    if (!ROLES.has(role)) throw invalid(`${path}/role`, 'must be one of system, developer, user and assistant')
    this.turns.push({
      role: role as Turn['role'],
      blocks: decodeContent(item['content'], `${path}/content`),
      path,
      ...extensionOf(restOf(item, MESSAGE, MESSAGE_FRAME)),
    })
  }

  private addCall(call: ToolCallBlock): void {
    const sealed = this.callSeal ? { ...call, seal: this.callSeal.seal } : call
    this.callSeal = null
    this.add('assistant', sealed)
  }

  private readReasoning(item: Members, path: string): void {
    const { summary, encrypted_content: encrypted, id } = item
    const parts = Array.isArray(summary) ? summary.map(partText) : []
    const rest = restOf(item, REASONING, CALL_FRAME)
    const content = Array.isArray(rest?.['content']) ? rest['content'].map(partText) : []
    const carried = typeof encrypted === 'string' && encrypted !== '' ? openEnvelope(encrypted) : null
    if (carried) return this.openCarrier(carried, parts, path)
    const seal: Seal | null =
      typeof encrypted === 'string' && encrypted !== ''
        ? { issuer: PROTOCOL, kind: 'encrypted', value: encrypted }
        : null
    this.add('assistant', {
      type: 'reasoning',
      text: (parts.length > 0 ? parts : content).join(''),
      summary: parts,
      seal,
      id: optionalText(id, `${path}/id`),
      path,
      ...extensionOf(rest),
    })
  }

  /** An item that the gateway wrote around the seals of another protocol. */
  private openCarrier(carried: readonly CarriedSeal[], parts: readonly string[], path: string): void {
    let ownText: string | null = parts.join('')
    for (const { seal, place, text, id } of carried) {
      if (place === 'tool-call') {
        this.keepCallSeal()
        this.callSeal = { seal, path }
      } else if (place === 'text' && this.sealText(seal)) continue
      else {
        this.add('assistant', reasoning(text ?? ownText ?? '', seal, id ?? null, path))
        ownText = null
      }
    }
  }

  /** Gives the seal back to the text that ends here; false when no text does. */
  private sealText(seal: Seal): boolean {
    const turn = this.turns.at(-1)
    const last = turn?.blocks.at(-1)
    if (turn?.role !== 'assistant' || last?.type !== 'text') return false
    this.turns[this.turns.length - 1] = { ...turn, blocks: [...turn.blocks.slice(0, -1), { ...last, seal }] }
    return true
  }

  /** A seal whose call is gone stays as reasoning without text. */
  private keepCallSeal(): void {
    if (this.callSeal) this.add('assistant', reasoning('', this.callSeal.seal, null, this.callSeal.path))
    this.callSeal = null
  }
}

const reasoning = (text: string, seal: Seal, id: string | null, path: string): ReasoningBlock => ({
  type: 'reasoning',
  text,
  seal,
  id,
  path,
})

function partText(part: unknown): string {
  const text = part !== null && typeof part === 'object' ? (part as Members)['text'] : part
  return typeof text === 'string' ? text : ''
}

function functionCall(item: Members, path: string): ToolCallBlock {
  const args = item['arguments']
  return {
    ...callHead(item, path),
    // Some clients put the object itself here.
    arguments: typeof args === 'string' ? args : args === undefined || args === null ? '' : JSON.stringify(args),
    kind: 'function',
    ...extensionOf(restOf(item, FUNCTION_CALL, CALL_FRAME)),
  }
}

function customCall(item: Members, path: string): ToolCallBlock {
  return {
    ...callHead(item, path),
    arguments: textOf(item['input'], `${path}/input`),
    kind: 'custom',
    ...extensionOf(restOf(item, CUSTOM_CALL, CALL_FRAME)),
  }
}

function callHead(item: Members, path: string) {
  const itemId = optionalText(item['id'], `${path}/id`)
  const namespace = optionalText(item['namespace'], `${path}/namespace`)
  return {
    type: 'tool-call' as const,
    id: optionalText(item['call_id'], `${path}/call_id`),
    name: textOf(item['name'], `${path}/name`),
    path,
    ...(itemId === null ? {} : { itemId }),
    ...(namespace === null ? {} : { namespace }),
  }
}

function toolResult(item: Members, path: string, kind: ToolResultBlock['kind']): ToolResultBlock {
  const output = item['output']
  const isContent = output === undefined || output === null || typeof output === 'string' || Array.isArray(output)
  return {
    type: 'tool-result',
    callId: optionalText(item['call_id'], `${path}/call_id`),
    name: null,
    content: decodeContent(isContent ? output : JSON.stringify(output), `${path}/output`),
    ...(isContent ? {} : { value: output }),
    isError: null,
    kind,
    path,
    ...extensionOf(restOf(item, OUTPUT, FRAME)),
  }
}

/** Items that the client adds answer a call, all others are the model's or the service's own. */
function roleOf(item: Members): Turn['role'] {
  const { type, role } = item
  if (ROLES.has(role)) return role as Turn['role']
  return type === 'mcp_approval_response' || String(type).endsWith('_output') ? 'user' : 'assistant'
}
