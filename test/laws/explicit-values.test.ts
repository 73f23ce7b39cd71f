import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import {
  CLIENTS,
  clientOf,
  type ChatProtocol,
  type ClientProtocol,
  traitsFor,
  upstreamOf,
  UPSTREAMS,
} from './exchanges.ts'
import { EXPLICIT_FIELDS, type ExplicitField, type Place } from './explicit-fields.ts'

/** R80: an explicit 0, false, '' or [] reaches every upstream from every client as a value, and absent stays absent. */

type Body = Record<string, unknown>

const MODELS: Readonly<Record<ChatProtocol, string>> = {
  'openai-chat': 'any-model',
  'openai-responses': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  'bedrock-converse': 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
}
const JSON_DEPTH_MAX = 64
const ABSENT = Symbol('absent')
/** Values that reach even the upstream that knows the fewest of the fields. */
const KEPT_MIN = 6

const SCHEMA = { type: 'object', properties: { city: { description: 'Where' } } }

/** A request with a tool that says none of the fields. */
function bareRequest(client: ClientProtocol): Body {
  const tool = { name: 'weather' }
  switch (client) {
    case 'openai-chat':
      return {
        model: 'm',
        messages: [{ role: 'user', content: 'hi' }],
        tools: [{ type: 'function', function: { ...tool, parameters: structuredClone(SCHEMA) } }],
      }
    case 'openai-responses':
      return { model: 'm', input: 'hi', tools: [{ type: 'function', ...tool, parameters: structuredClone(SCHEMA) }] }
    case 'anthropic-messages':
      return {
        model: 'm',
        messages: [{ role: 'user', content: 'hi' }],
        tools: [{ ...tool, input_schema: structuredClone(SCHEMA) }],
      }
    case 'gemini':
      return {
        contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
        tools: [{ functionDeclarations: [{ ...tool, parametersJsonSchema: structuredClone(SCHEMA) }] }],
      }
    default: {
      const missed: never = client
      throw new Error(`unknown protocol ${String(missed)}`)
    }
  }
}

const stepsOf = (path: string): string[] => path.split('/').slice(1)

function valueAt(body: unknown, path: string): unknown {
  let value = body
  for (const step of stepsOf(path)) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return ABSENT
    value = (value as Body)[step]
  }
  return value
}

function put(body: Body, path: string, value: unknown): void {
  const steps = stepsOf(path)
  const last = steps.pop()!
  let at = body
  for (const step of steps) at = (at[step] ??= {}) as Body
  at[last] = value
}

const said = ({ say }: Place, value: unknown): unknown => (say ? say(value) : value)

interface Sent {
  readonly body: Body
  readonly losses: readonly Loss[]
}

/** What the upstream gets; null when the request is refused with 400. */
function send(client: ClientProtocol, upstream: ChatProtocol, asked: Body, model: string): Sent | null {
  const bytes = Buffer.from(JSON.stringify(asked))
  try {
    const facts = PASSTHROUGH[client].readRequest(bytes, JSON_DEPTH_MAX)
    if (client === upstream) {
      const changes = { model: 'm', includeUsage: client === 'openai-chat' && facts.stream }
      const written = PASSTHROUGH[client].writeRequest(bytes, facts, changes)
      return { body: JSON.parse(written.toString()) as Body, losses: [] }
    }
    const losses = new Losses()
    const request = clientOf(client).decodeRequest(asked, { stream: facts.stream })
    const { body } = upstreamOf(upstream).encodeRequest(request, traitsFor(upstream, model), losses)
    return { body: JSON.parse(JSON.stringify(body)) as Body, losses: losses.list }
  } catch (error) {
    if (error instanceof GatewayError && error.status === 400) return null
    throw error
  }
}

/** Whether a loss names one of the places, or what it stands in. */
const isDeclared = (paths: readonly string[], losses: readonly Loss[]): boolean =>
  losses.some((loss) => loss.path !== '' && paths.some((path) => `${path}/`.startsWith(`${loss.path}/`)))

type Outcome = 'kept' | 'refused' | 'declared' | 'implied'

/** How the value arrives, or what is wrong. */
function outcomeOf(
  field: ExplicitField,
  client: ClientProtocol,
  upstream: ChatProtocol,
  value: unknown,
): Outcome | Fault {
  const from = field.at[client]!
  const model = field.models?.[upstream] ?? MODELS[upstream]
  const bare = bareRequest(client)
  for (const [path, beside] of Object.entries(from.beside ?? {})) put(bare, path, beside)
  const asked = structuredClone(bare)
  put(asked, from.path, said(from, value))
  const to =
    client === upstream
      ? (field.rewritten?.[upstream] ?? field.at[upstream])
      : (field.mapped?.[upstream] ?? field.at[upstream])
  const sent = send(client, upstream, asked, model)
  if (sent === null) return 'refused'
  const got = to ? valueAt(sent.body, to.path) : ABSENT
  if (to && isSame(got, said(to, value))) return 'kept'
  // Nothing is declared of what passes through.
  if (client !== upstream) {
    if (isDeclared([from.path, ...Object.keys(from.beside ?? {})], sent.losses)) return 'declared'
    if (got === ABSENT && field.implied?.[upstream]?.some((each) => isSame(each, value))) return 'implied'
  }
  return { fault: `${to?.path ?? 'it'} is ${shown(got)}, and nothing tells` }
}

interface Fault {
  readonly fault: string
}

const isSame = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
const shown = (value: unknown): string => (value === ABSENT ? 'absent' : JSON.stringify(value))

/** What an upstream is told although its client said nothing: by APIs that demand it, and by R9. */
const DEMANDED: Readonly<Partial<Record<ChatProtocol, readonly string[]>>> = {
  // A function is strict there unless it is told not to be.
  'openai-responses': ['/store', '/tools/0/strict'],
  'anthropic-messages': ['/max_tokens'],
}

const isLost = (outcome: Outcome): boolean => outcome === 'declared' || outcome === 'refused'

/** Whether there is no reason for the upstream not to get the field. */
const isKnown = (field: ExplicitField, upstream: ChatProtocol): boolean =>
  field.at[upstream] !== undefined && !field.refused?.includes(upstream)

const PAIRS = CLIENTS.flatMap((client) => UPSTREAMS.map((upstream) => ({ client, upstream })))

for (const { client, upstream } of PAIRS) {
  test(`an explicit value of ${client} reaches ${upstream}`, () => {
    const faults: string[] = []
    let kept = 0
    for (const field of EXPLICIT_FIELDS) {
      if (!field.at[client]) continue
      for (const value of field.values) {
        const outcome = outcomeOf(field, client, upstream, value)
        if (outcome === 'kept') kept++
        const what = `${field.name} ${JSON.stringify(value)}`
        if (typeof outcome === 'object') faults.push(`${what}: ${outcome.fault}`)
        else if (isLost(outcome) && isKnown(field, upstream)) faults.push(`${what} is ${outcome}`)
      }
    }
    assert.deepEqual(faults, [])
    assert.ok(kept >= KEPT_MIN, `${kept} were kept`)
  })

  test(`what ${client} does not say, ${upstream} is not told`, () => {
    const sent = send(client, upstream, bareRequest(client), MODELS[upstream])!
    assert.deepEqual(sent.losses, [])
    for (const { name, at, mapped } of EXPLICIT_FIELDS)
      for (const place of [at[upstream], mapped?.[upstream]]) {
        if (!place || (client !== upstream && DEMANDED[upstream]?.includes(place.path))) continue
        assert.equal(valueAt(sent.body, place.path), ABSENT, `${name} at ${place.path}`)
      }
  })
}

test('the fields of R80 are there, and each is said by some client', () => {
  assert.ok(EXPLICIT_FIELDS.length >= 15)
  for (const { name, at } of EXPLICIT_FIELDS)
    assert.ok(
      CLIENTS.some((client) => at[client]),
      name,
    )
})
