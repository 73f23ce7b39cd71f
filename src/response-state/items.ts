import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseFaithfulJson } from '#base/exact-json.ts'

/** Characters of JSON that are written or read before other requests get their turn: about 5 ms. */
const CHARACTERS_PER_TURN = 512 * 1024

/** The id of an item, if it has one. */
export function idOf(item: unknown): string | null {
  const id = isObject(item) ? item['id'] : undefined
  return typeof id === 'string' && id !== '' ? id : null
}

/** Is told how many characters were handled, and gives a pause to wait for whenever they are enough. */
export type Pace = (characters: number) => Promise<unknown> | null

export function createPace(): Pace {
  let handled = 0
  return (characters) => {
    handled += characters
    if (handled < CHARACTERS_PER_TURN) return null
    handled = 0
    return nextTurn()
  }
}

/** JSON text holds no line break of its own, so that a list with one item per line can be cut without reading it. */
const SEPARATOR = ',\n'

/** `input` as items: a text is what its user said. */
export function itemsOf(input: string | readonly unknown[]): readonly unknown[] {
  if (typeof input !== 'string') return input
  return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }]
}

/** Items as a JSON array, one per line; null when it would be longer than `charactersMax`. */
export async function encodeItems(items: readonly unknown[], charactersMax: number): Promise<string | null> {
  const pace = createPace()
  const texts: string[] = []
  let length = '[]'.length
  for (const item of items) {
    const text = JSON.stringify(item)
    length += text.length + (texts.length > 0 ? SEPARATOR.length : 0)
    if (length > charactersMax) return null
    texts.push(text)
    const pause = pace(text.length)
    if (pause) await pause
  }
  return `[${texts.join(SEPARATOR)}]`
}

/** The items of a text that `encodeItems` made. */
export async function decodeItems(text: string, pace: Pace): Promise<unknown[]> {
  const inner = text.slice(1, -1)
  if (inner === '') return []
  const items: unknown[] = []
  for (const line of inner.split(SEPARATOR)) {
    items.push(parseFaithfulJson(line))
    const pause = pace(line.length)
    if (pause) await pause
  }
  return items
}

/**
 * `output` of a response object; none when it has none. The digits of a very long one are not kept: it is made of log
 * probabilities, and reading them exactly would keep everybody waiting.
 */
export function outputOf(response: string): readonly unknown[] {
  const value = response.length <= CHARACTERS_PER_TURN ? parseFaithfulJson(response) : (JSON.parse(response) as unknown)
  const output = isObject(value) ? value['output'] : undefined
  return Array.isArray(output) ? output : []
}

/** The items of an answer are numbered from 0 (`itemId` of the codec); those of an input stand above all of them. */
export const INPUT_PLACE_MIN = 1_000_000

/** What comes before an id that the client left out, by the type of the item. */
const ID_PREFIXES: Readonly<Record<string, string>> = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
}

/**
 * An item in the form of a list: with its type, an id and, for a message, its status and content as parts, as OpenAI
 * completes them. `at` is its place in the input of `responseId`; an id that it has is kept.
 */
export function listedItem(item: unknown, responseId: string, at: number): unknown {
  if (!isObject(item)) return item
  const { role, content, status } = item
  const type = item['type'] ?? (role === undefined ? undefined : 'message')
  const prefix = (typeof type === 'string' ? ID_PREFIXES[type] : undefined) ?? 'item'
  const id = idOf(item) ?? `${prefix}_${responseId.slice('resp_'.length)}_${INPUT_PLACE_MIN + at}`
  const head = { ...item, id, ...(type === undefined ? {} : { type }) }
  if (type !== 'message') return head
  return {
    ...head,
    status: status ?? 'completed',
    content: typeof content === 'string' ? [part(role, content)] : content,
  }
}

const part = (role: unknown, text: string): object =>
  role === 'assistant' ? { type: 'output_text', text, annotations: [] } : { type: 'input_text', text }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
