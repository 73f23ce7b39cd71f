import { sealOf } from '#simulator/seal.ts'
import type { Json, TestGateway, Told } from './gateway.ts'
import type { LabSurface } from './fault-table.ts'

/** One request of the fault lab, and what its client sees of the answer in a few words. */

const TEXT = 'Größe – 日本 🛶 and a few plain words behind them'
/** What `test/thinking` thinks of it. */
const THOUGHT = `The user wrote “${TEXT}”. I weigh it word by word – a short answer will do.`
const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

export function bodyOf(surface: LabSurface, model: string, stream: boolean): [path: string, body: object] {
  const tools = model.endsWith('tools')
  const name = 'look_up'
  switch (surface) {
    case 'chat': {
      const declared = tools ? { tools: [{ type: 'function', function: { name, parameters: SCHEMA } }] } : {}
      const options = stream ? { stream, stream_options: { include_usage: true } } : {}
      return ['/v1/chat/completions', { model, messages: [{ role: 'user', content: TEXT }], ...declared, ...options }]
    }
    case 'responses': {
      const declared = tools ? { tools: [{ type: 'function', name, parameters: SCHEMA }] } : {}
      return ['/v1/responses', { model, input: TEXT, include: ['reasoning.encrypted_content'], stream, ...declared }]
    }
    case 'messages': {
      const declared = tools ? { tools: [{ name, input_schema: SCHEMA }] } : {}
      const messages = [{ role: 'user', content: TEXT }]
      return ['/v1/messages', { model, max_tokens: 4000, messages, stream, ...declared }]
    }
    case 'gemini': {
      const declared = tools ? { tools: [{ functionDeclarations: [{ name, parameters: SCHEMA }] }] } : {}
      const action = stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
      return [
        `/v1beta/models/${model}:${action}`,
        { contents: [{ role: 'user', parts: [{ text: TEXT }] }], ...declared },
      ]
    }
    default:
      return surface satisfies never
  }
}

export interface Played extends Told {
  readonly seen: string
}

export async function play(
  gateway: TestGateway,
  surface: LabSurface,
  model: string,
  stream: boolean,
  headers: Record<string, string>,
  key: string | null = gateway.key,
): Promise<Played> {
  const [path, body] = bodyOf(surface, model, stream)
  const told = await gateway.ask(path, { key, headers, body })
  return { ...told, seen: seenIn(surface, model, stream, told) }
}

/** `429 rate_limit…, retry-after 1`, `200, complete`, `200, error event` and what is special about it. */
function seenIn(surface: LabSurface, model: string, stream: boolean, { status, headers, text, json }: Told): string {
  if (status !== 200) {
    const wait = headers.get('retry-after')
    return `${status} ${codeIn(json)}${wait === null ? '' : `, retry-after ${wait}`}`
  }
  const events = stream ? eventsIn(text) : [json]
  const failed = stream && events.some((event) => event.error ?? (event.type === 'response.failed' ? event : undefined))
  const facts = failed ? ['error event'] : [isFinished(surface, stream, text, json) ? 'complete' : 'without a finish']
  if (!failed && text.includes('look_up')) facts.push(argumentsIn(surface, events, text))
  if (!failed && new Set(idsIn(text)).size < callsIn(surface, events)) facts.push('two calls with one id')
  if (!failed && !/"(usage|usageMetadata)":\{/.test(text)) facts.push('no usage')
  if (model.endsWith('thinking') && !text.includes(sealOf(THOUGHT))) facts.push('signature altered')
  if (!failed && !text.includes('look_up') && !wordsIn(events).includes(TEXT)) facts.push('text damaged')
  return `200, ${facts.filter((fact) => fact !== '').join(', ')}`
}

function codeIn({ error }: Json): string {
  return error.details?.find((one: Json) => one.reason)?.reason ?? error.code
}

const eventsIn = (text: string): Json[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)))

function isFinished(surface: LabSurface, stream: boolean, text: string, json: Json): boolean {
  switch (surface) {
    case 'chat':
      return stream ? text.includes('[DONE]') : json.choices[0].finish_reason !== null
    case 'responses':
      return stream ? text.includes('"response.completed"') : json.status === 'completed'
    case 'messages':
      return stream ? text.includes('message_stop') : json.stop_reason !== null
    case 'gemini':
      return text.includes('"finishReason"')
    default:
      return surface satisfies never
  }
}

/** Everything that is said, whichever member says it. */
function wordsIn(events: readonly Json[]): string {
  const words: string[] = []
  const walk = (value: Json, name: string): void => {
    if (typeof value === 'string' && (name === 'text' || name === 'content' || name === 'delta')) words.push(value)
    else if (typeof value === 'object' && value !== null) for (const key of Object.keys(value)) walk(value[key], key)
  }
  for (const event of events) if (!/\.(done|completed|added|created)$/.test(event.type ?? '')) walk(event, '')
  return words.join('')
}

function argumentsIn(surface: LabSurface, events: readonly Json[], text: string): string {
  const whole = /"city\\?":/.test(text) || wordsIn(events) === ''
  const streamed: string[] = []
  const walk = (value: Json, name: string): void => {
    if (typeof value === 'string' && (name === 'arguments' || name === 'partial_json' || name === 'delta'))
      streamed.push(value)
    else if (typeof value === 'object' && value !== null) for (const key of Object.keys(value)) walk(value[key], key)
    if (['args', 'input'].includes(name) && typeof value === 'object') streamed.push(JSON.stringify(value))
  }
  for (const event of events) if (!/\.(done|completed|added|created)$/.test(event.type ?? '')) walk(event, '')
  return whole && /"city":.*\}/.test(streamed.join(''))
    ? ''
    : `arguments are no ${surface === 'gemini' || surface === 'messages' ? 'object' : 'JSON'}`
}

const idsIn = (text: string): string[] => text.match(/"(?:call_(?!id")|toolu_)\w+"/g) ?? []

function callsIn(surface: LabSurface, events: readonly Json[]): number {
  const text = JSON.stringify(events)
  switch (surface) {
    case 'chat':
      return (text.match(/"function":\{"name":"look_up"/g) ?? []).length
    case 'responses':
      return events.some((one) => one.type)
        ? events.filter((one) => one.type === 'response.output_item.added' && one.item.type === 'function_call').length
        : (text.match(/"type":"function_call"/g) ?? []).length
    case 'messages':
      return (text.match(/"type":"tool_use"/g) ?? []).length
    case 'gemini':
      return (text.match(/"functionCall"/g) ?? []).length
    default:
      return surface satisfies never
  }
}
