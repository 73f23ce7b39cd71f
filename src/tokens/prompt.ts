import type { Block, MediaBlock } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { fieldsOf } from '#ir/counts.ts'
import { writeSchema, writeTool, type ToolForm } from './tool-text.ts'

/** The texts of a request by what they are: the families weigh some of them differently. */
export interface PromptTexts {
  readonly instructions: string[]
  /** What the turns say, refusals and plain-text documents included. */
  readonly text: string[]
  /** Reasoning since the user last spoke: providers keep it while tools are called. */
  readonly reasoning: string[]
  /** Reasoning of before: most drop it. */
  readonly pastReasoning: string[]
  /** Names and arguments of earlier tool calls. */
  readonly calls: string[]
  readonly results: string[]
  readonly tools: string[]
  readonly schema: string[]
}

export type TextKind = keyof PromptTexts

/**
 * Everything of a request that costs tokens, told so that it is the same whatever protocol the client spoke: a tool result is
 * no turn, several items that say one turn are.
 */
export interface Prompt {
  readonly texts: PromptTexts
  /** Turns of user and assistant that say something beside calling tools and answering them. */
  readonly turns: number
  /** Instructions outside the turns, and turns that hold instructions. */
  readonly systems: number
  readonly calls: number
  readonly results: number
  readonly tools: number
  readonly media: readonly MediaBlock[]
  /** Characters of each seal since the user last spoke; for encrypted reasoning they tell how long it is. */
  readonly seals: readonly number[]
  /** The same of before. */
  readonly pastSeals: readonly number[]
  /** Whether a document is to be cited, which costs instructions of the provider's own. */
  readonly hasCitations: boolean
  /** Things whose price cannot be known from here: tools that the provider runs, items that only it understands. */
  readonly unknowns: number
}

/** Takes a request apart. */
export function readPrompt(request: ChatRequest, form: ToolForm): Prompt {
  const reading = new Reading()
  for (const block of request.instructions) reading.texts.instructions.push(block.text)
  if (request.instructions.length > 0) reading.systems++
  for (const turn of request.turns) reading.addTurn(turn)
  for (const tool of request.tools) {
    reading.texts.tools.push(writeTool(tool, form))
    if (tool.type === 'server') reading.unknowns++
  }
  if (request.format?.type === 'schema') reading.texts.schema.push(writeSchema(request.format.schema))
  return { ...reading, tools: request.tools.length }
}

class Reading {
  readonly texts: PromptTexts = {
    instructions: [],
    text: [],
    reasoning: [],
    pastReasoning: [],
    calls: [],
    results: [],
    tools: [],
    schema: [],
  }
  readonly media: MediaBlock[] = []
  readonly seals: number[] = []
  readonly pastSeals: number[] = []
  turns = 0
  systems = 0
  calls = 0
  results = 0
  unknowns = 0
  hasCitations = false

  addTurn(turn: Turn): void {
    if (turn.role === 'system' || turn.role === 'developer') this.systems++
    else if (turn.blocks.some(isSaid)) this.turns++
    if (turn.role === 'user' && turn.blocks.some(isSaid)) this.closeReasoning()
    if (turn.name !== undefined) this.texts.text.push(turn.name)
    for (const block of turn.blocks) this.addBlock(block, 'text')
  }

  /** The user speaks: what was thought before is past. */
  private closeReasoning(): void {
    const { reasoning, pastReasoning } = this.texts
    pastReasoning.push(...reasoning.splice(0))
    this.pastSeals.push(...this.seals.splice(0))
  }

  /** `kind`: what texts directly in here are. */
  private addBlock(block: Block, kind: 'text' | 'results'): void {
    // What chat hosts send as reasoning details is told again in clear.
    if ('seal' in block && block.seal && block.seal.issuer !== 'openai-chat') this.seals.push(block.seal.value.length)
    switch (block.type) {
      case 'text':
      case 'refusal':
        this.texts[kind].push(block.text)
        break
      case 'media':
        this.addMedia(block, kind)
        break
      case 'reasoning':
        this.texts.reasoning.push(block.text)
        break
      case 'tool-call':
        this.calls++
        this.texts.calls.push(block.name, block.arguments)
        break
      case 'tool-result':
        this.results++
        for (const part of block.content) this.addBlock(part, 'results')
        break
      case 'opaque':
        this.unknowns++
        this.texts[kind].push(JSON.stringify(block.value) ?? '')
        break
      default: {
        const missed: never = block
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  private addMedia(block: MediaBlock, kind: 'text' | 'results'): void {
    if (fieldsOf(block.ext?.['anthropic-messages']?.['citations'])['enabled'] === true) this.hasCitations = true
    if (block.title !== undefined) this.texts[kind].push(block.title)
    if (block.source.type === 'text') this.texts[kind].push(block.source.text)
    else this.media.push(block)
  }
}

function isSaid(block: Block): boolean {
  return block.type !== 'tool-call' && block.type !== 'tool-result' && block.type !== 'reasoning'
}
