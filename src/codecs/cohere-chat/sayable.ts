import { dataUrlOf, typeOfData } from '#codecs/openai-chat/media.ts'
import type { Members } from '#codecs/openai-chat/members.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { Block, MediaBlock, ReasoningBlock } from '#ir/blocks.ts'
import type { ChatRequest, Tool, Turn } from '#ir/chat-request.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'

/** Members of Cohere's own body that a client may name in its own; they go on as they stood. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['documents', 'citation_options', 'safety_mode', 'priority'])

/**
 * The request without what Cohere cannot be told, each declared lost. What is left can be written as messages of chat
 * completions, which Cohere's are nearly the same as.
 */
export function sayable(request: ChatRequest, target: TargetTraits, losses: Losses): ChatRequest {
  const { instructions, turns, tools } = request
  const blocksOf = (blocks: readonly Block[], isCalling: boolean): Block[] =>
    blocks.flatMap((block) => blockOf(block, isCalling, target, losses) ?? [])
  return {
    ...request,
    instructions: instructions.map((block) => textOf(block, losses)),
    turns: turns.map((turn) => {
      if (turn.name !== undefined) losses.dropped(`${turn.path}/name`, 'Cohere has no names of participants')
      lose(turn.path, turn.ext, losses)
      const isCalling = turn.blocks.some(({ type }) => type === 'tool-call')
      const said: Turn = { role: turn.role, path: turn.path, blocks: blocksOf(turn.blocks, isCalling) }
      return said
    }),
    tools: tools.flatMap((tool) => toolOf(tool, losses)),
    ext: {},
  }
}

/** The members of the body that only Cohere knows, whatever protocol its client speaks; all others are lost. */
export function ownMembersOf({ ext }: ChatRequest, losses: Losses): Members {
  const own: Record<string, unknown> = {}
  for (const members of Object.values(ext)) {
    for (const [name, value] of Object.entries(members ?? {})) {
      if (OWN_MEMBERS.has(name)) own[name] = value
      else losses.unknown('', { [name]: value }, UNKNOWN)
    }
  }
  return own
}

const UNKNOWN = 'Cohere knows no such member'
/** The reason for which reasoning and seals of others are dropped (B3). */
const FOREIGN_REASONING = 'foreign_reasoning'

function lose(path: string, ext: Extensions | undefined, losses: Losses): void {
  for (const members of Object.values(ext ?? {})) losses.unknown(path, members, UNKNOWN)
}

function textOf<Text extends Extract<Block, { type: 'text' }>>(block: Text, losses: Losses): Text {
  const { ext, seal, citations, cacheControl, ...plain } = block
  lose(block.path, ext, losses)
  if (seal) losses.dropped(block.path, FOREIGN_REASONING)
  if (citations?.length) losses.dropped(`${block.path}/citations`, 'a message that is sent has no citations')
  if (cacheControl !== undefined) losses.dropped(`${block.path}/cache_control`, CACHES)
  return plain as Text
}

const CACHES = 'Cohere caches by itself'

/** Null: it cannot be said. `isCalling`: it stands in a turn that calls tools. */
function blockOf(block: Block, isCalling: boolean, target: TargetTraits, losses: Losses): Block | null {
  switch (block.type) {
    case 'text':
      return textOf(block, losses)
    case 'refusal':
      return textOf({ type: 'text', text: block.text, path: block.path }, losses)
    case 'media':
      return mediaOf(block, losses)
    case 'reasoning':
      return reasoningOf(block, isCalling, target, losses)
    case 'tool-call': {
      const { ext, seal, cacheControl, ...plain } = block
      lose(block.path, ext, losses)
      if (seal) losses.dropped(block.path, FOREIGN_REASONING)
      if (cacheControl !== undefined) losses.dropped(`${block.path}/cache_control`, CACHES)
      return plain
    }
    case 'tool-result': {
      const { ext, cacheControl, ...plain } = block
      lose(block.path, ext, losses)
      if (cacheControl !== undefined) losses.dropped(`${block.path}/cache_control`, CACHES)
      return {
        ...plain,
        name: block.callId === null ? block.name : null,
        content: block.content.flatMap((inner) => blockOf(inner, false, target, losses) ?? []),
      }
    }
    case 'opaque':
      losses.dropped(block.path, `only ${block.issuer} understands it`)
      return null
    default: {
      const missed: never = block
      throw new Error(`unknown block ${String(missed)}`)
    }
  }
}

/** What Cohere thought was never sealed. A plan before calls is taken by all of its models, a thought by those that think. */
function reasoningOf(
  block: ReasoningBlock,
  isCalling: boolean,
  target: TargetTraits,
  losses: Losses,
): ReasoningBlock | null {
  lose(block.path, block.ext, losses)
  if (block.seal) {
    losses.dropped(block.path, FOREIGN_REASONING)
    return null
  }
  if (block.text === '') return null
  if (isCalling || target.reasoning !== 'none')
    return { type: 'reasoning', text: block.text, seal: null, id: null, path: block.path }
  losses.dropped(block.path, 'the model takes no reasoning back')
  return null
}

function mediaOf(block: MediaBlock, losses: Losses): Block | null {
  const { kind, source, path, cacheControl, seal, ext, detail } = block
  lose(path, ext, losses)
  if (seal) losses.dropped(path, FOREIGN_REASONING)
  if (cacheControl !== undefined) losses.dropped(`${path}/cache_control`, CACHES)
  if (source.type === 'text') return { type: 'text', text: source.text, path }
  if (kind === 'image' && source.type !== 'file') {
    const url =
      source.type === 'url' ? source.url : dataUrlOf(source.mimeType ?? typeOfData(kind, source.data), source.data)
    return {
      type: 'media',
      kind,
      source: { type: 'url', mimeType: null, url },
      path,
      ...(detail === undefined ? {} : { detail }),
    }
  }
  losses.severe(path, source.type === 'file' ? 'only its issuer holds the file' : `Cohere takes no ${kind}`)
  return null
}

function toolOf(tool: Tool, losses: Losses): Tool[] {
  if (tool.type === 'server') {
    losses.severe(tool.path, `Cohere has no tool ${tool.name}`)
    return []
  }
  const { ext, cacheControl, ...plain } = tool
  lose(tool.path, ext, losses)
  if (cacheControl !== undefined) losses.dropped(`${tool.path}/cache_control`, CACHES)
  return [plain]
}
