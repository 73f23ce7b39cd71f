import type { Surface } from '#base/protocols.ts'

/** Longer bodies are not searched for loops: reading them again would take longer than it may. */
export const LOOP_BODY_BYTES_MAX = 2 * 1024 * 1024

/** What an agent does over and over at the end of its conversation (B14). */
export interface Loop {
  readonly of: 'tool calls' | 'user turns'
  readonly times: number
}

type Json = Readonly<Record<string, unknown>>

/** What of a conversation can repeat itself. */
interface Turns {
  /** Name and canonical arguments, since somebody last spoke. */
  calls: string[]
  users: string[]
}

/** Whether the last `turns` tool calls, or turns of the user, are one and the same. The body is known to be JSON. */
export function findLoop(surface: Surface, body: Buffer, turns: number): Loop | null {
  if (body.length > LOOP_BODY_BYTES_MAX) return null
  const said = READERS[surface]?.(JSON.parse(body.toString()) as Json)
  if (!said) return null
  const calls = sameAtEnd(said.calls)
  if (calls >= turns) return { of: 'tool calls', times: calls }
  const users = sameAtEnd(said.users)
  return users >= turns ? { of: 'user turns', times: users } : null
}

function sameAtEnd(list: readonly string[]): number {
  let count = 0
  for (let at = list.length - 1; at >= 0 && list[at] === list.at(-1); at--) count++
  return count
}

const READERS: Readonly<Partial<Record<Surface, (body: Json) => Turns>>> = {
  'openai-chat': (body) =>
    fold(body['messages'], (message, turns) => {
      if (message['role'] === 'user') speak(turns, message['content'])
      for (const call of listOf(message['tool_calls'])) {
        const { name, arguments: args } = (call['function'] ?? {}) as Json
        turns.calls.push(callText(name, args))
      }
    }),
  'anthropic-messages': (body) =>
    fold(body['messages'], (message, turns) => {
      const blocks = listOf(message['content'])
      if (message['role'] === 'user') {
        // Results of tools are no turn of a person, whatever is said beside them.
        if (!blocks.some(({ type }) => type === 'tool_result')) speak(turns, message['content'])
        return
      }
      for (const { type, name, input } of blocks) if (type === 'tool_use') turns.calls.push(callText(name, input))
    }),
  'openai-responses': (body) => {
    const { input } = body
    if (typeof input === 'string') return { calls: [], users: [input] }
    return fold(input, (item, turns) => {
      if (item['type'] === 'function_call') turns.calls.push(callText(item['name'], item['arguments']))
      else if (item['role'] === 'user') speak(turns, item['content'])
    })
  },
  gemini: (body) =>
    fold(body['contents'], ({ role, parts }, turns) => {
      const list = listOf(parts)
      if (role !== 'model') {
        if (!list.some((part) => part['functionResponse'] ?? part['function_response'])) speak(turns, parts)
        return
      }
      for (const part of list) {
        const call = (part['functionCall'] ?? part['function_call']) as Json | undefined
        if (call) turns.calls.push(callText(call['name'], call['args']))
      }
    }),
}

function fold(list: unknown, read: (item: Json, turns: Turns) => void): Turns {
  const turns: Turns = { calls: [], users: [] }
  for (const item of listOf(list)) read(item, turns)
  return turns
}

/** Who speaks may well ask for the same call again: only what follows is the agent's own. */
function speak(turns: Turns, content: unknown): void {
  turns.users.push(canonical(content))
  turns.calls = []
}

const listOf = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : []

const callText = (name: unknown, args: unknown): string =>
  canonical([name, typeof args === 'string' ? parsed(args) : args])

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The same value is the same text, whatever the order of its members. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  ) ?? ''
