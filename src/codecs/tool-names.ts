import { createHash } from 'node:crypto'
import type { Protocol } from '#base/protocols.ts'
import type { Block } from '#ir/blocks.ts'
import type { ChatRequest, CustomTool, FunctionTool, ToolChoice } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'

/** What the name of a tool may be. */
interface NameRule {
  readonly charactersMax: number
  readonly illegal: RegExp
  readonly start: RegExp
}

const ANY_START = /^/
const WORDS = /[^a-zA-Z0-9_-]/g

/** By the target's protocol. Sources: the APIs' own complaints and references, August 2026. */
const RULES: Readonly<Record<Protocol, NameRule>> = {
  'openai-chat': { charactersMax: 64, illegal: WORDS, start: ANY_START },
  'openai-responses': { charactersMax: 64, illegal: WORDS, start: ANY_START },
  'openai-embeddings': { charactersMax: 64, illegal: WORDS, start: ANY_START },
  'anthropic-messages': { charactersMax: 128, illegal: WORDS, start: ANY_START },
  gemini: { charactersMax: 64, illegal: /[^a-zA-Z0-9_.:-]/g, start: /^[a-zA-Z_]/ },
  'bedrock-converse': { charactersMax: 64, illegal: WORDS, start: ANY_START },
  'cohere-chat': { charactersMax: 64, illegal: WORDS, start: ANY_START },
}

const HASH_CHARACTERS = 8

/** A tool as its client knows it. */
export interface ClientName {
  readonly name: string
  readonly namespace: string | undefined
}

/**
 * Names of the client's tools at a target (R82). A name stays what it is where the target takes it and no other tool has
 * it; else it is made of namespace, name and a hash of both. Nothing but the declared tools decides, so that each turn of a
 * conversation gives the same names, whatever their order.
 */
export class ToolNames {
  private readonly rule: NameRule
  private readonly wires = new Map<string, string>()
  private readonly clients = new Map<string, ClientName>()
  private readonly byName = new Map<string, string[]>()

  constructor(request: ChatRequest, target: Protocol) {
    this.rule = RULES[target]
    const tools = request.tools.filter((tool) => tool.type !== 'server')
    const clients = new Map(tools.map((tool) => [keyOf(tool), tool]))
    for (const client of clients.values()) {
      const own = this.byName.get(client.name)
      if (own) own.push(keyOf(client))
      else this.byName.set(client.name, [keyOf(client)])
    }
    const renamed: Name[] = []
    for (const client of clients.values()) {
      const isOnly = this.byName.get(client.name)!.length === 1
      if (this.isLegal(client.name) && (isOnly || client.namespace === undefined)) this.take(client, client.name)
      else renamed.push(client)
    }
    for (const client of renamed) this.take(client, this.freeName(client))
  }

  private take({ name, namespace }: Name, wire: string): void {
    this.wires.set(keyOf({ name, namespace }), wire)
    this.clients.set(wire, { name, namespace })
  }

  private isLegal(name: string): boolean {
    const { charactersMax, illegal, start } = this.rule
    return name !== '' && name.length <= charactersMax && name.search(illegal) < 0 && start.test(name)
  }

  /** A legal name that no other tool has: readable, and the same whenever the same tool comes. */
  private freeName(client: Name): string {
    const { charactersMax, illegal, start } = this.rule
    const { name, namespace } = client
    const told = (namespace === undefined ? name : `${namespace}_${name}`).replace(illegal, '_')
    const readable = (start.test(told) ? told : `_${told}`).slice(0, charactersMax - HASH_CHARACTERS - 1)
    for (let key = keyOf(client); ; key += ' ') {
      const hash = createHash('sha256').update(key).digest('hex').slice(0, HASH_CHARACTERS)
      const wire = `${readable}_${hash}`
      if (!this.clients.has(wire)) return wire
    }
  }

  /** Whether the target knows every tool by the client's own name, and the client needs no namespace with it. */
  get isPlain(): boolean {
    for (const [wire, { name, namespace }] of this.clients) if (name !== wire || namespace !== undefined) return false
    return true
  }

  /** Whose name the target calls; undefined when it is nobody's. */
  clientOf(wire: string): ClientName | undefined {
    return this.clients.get(wire)
  }

  /** The name of a tool that was called in an earlier turn, whether it is still declared or not. */
  private wireOf(client: Name): string {
    const declared = this.wires.get(keyOf(client))
    if (declared !== undefined) return declared
    const alike = client.namespace === undefined ? (this.byName.get(client.name) ?? []) : []
    if (alike.length === 1) return this.wires.get(alike[0]!)!
    const wire = this.isLegal(client.name) && !this.clients.has(client.name) ? client.name : this.freeName(client)
    // Kept, so that another tool that is no longer declared does not get it too.
    this.take(client, wire)
    return wire
  }

  /** The request with the names of the target; itself when nothing changes. Every change of a declared tool is told. */
  rename(request: ChatRequest, losses: Losses): ChatRequest {
    let isChanged = false
    const named = <Named extends Name>(node: Named): Named => {
      const name = this.wireOf(node)
      if (name === node.name) return node
      isChanged = true
      return { ...node, name }
    }
    const tools = request.tools.map((tool) => {
      if (tool.type === 'server') return tool
      const renamed: FunctionTool | CustomTool = named(tool)
      if (renamed !== tool) losses.rewritten(tool.path, 'the name is made legal and unique for the upstream')
      return renamed
    })
    const turns = request.turns.map((turn) => {
      const blocks = turn.blocks.map((block): Block => {
        if (block.type === 'tool-call') return named(block)
        if (block.type !== 'tool-result' || block.name === null) return block
        const { name } = named({ name: block.name, namespace: undefined })
        return name === block.name ? block : { ...block, name }
      })
      return blocks.every((block, index) => block === turn.blocks[index]) ? turn : { ...turn, blocks }
    })
    const toolChoice = this.renameChoice(request)
    if (toolChoice !== request.toolChoice) isChanged = true
    return isChanged ? { ...request, tools, turns, toolChoice } : request
  }

  /** A choice tells no namespace: it means all tools of its name. */
  private renameChoice({ toolChoice, tools }: ChatRequest): ToolChoice | null {
    if (toolChoice === null || (toolChoice.type !== 'tool' && toolChoice.type !== 'allowed')) return toolChoice
    const isServed = (name: string): boolean => tools.some((tool) => tool.type === 'server' && tool.name === name)
    const wiresOf = (name: string): string[] => {
      const keys = this.byName.get(name)
      if (keys) return keys.map((key) => this.wires.get(key)!)
      return [isServed(name) ? name : this.wireOf({ name, namespace: undefined })]
    }
    if (toolChoice.type === 'allowed') {
      const names = toolChoice.names.flatMap(wiresOf)
      return names.join(' ') === toolChoice.names.join(' ') ? toolChoice : { ...toolChoice, names }
    }
    const names = wiresOf(toolChoice.name)
    if (names.length > 1) return { type: 'allowed', names, isRequired: true }
    return names[0] === toolChoice.name ? toolChoice : { ...toolChoice, name: names[0]! }
  }
}

interface Name {
  readonly name: string
  readonly namespace?: string | undefined
}

const keyOf = ({ name, namespace }: Name): string => JSON.stringify([namespace ?? null, name])
