import { GatewayError } from '#base/errors.ts'
import { ObjectScan, readValue } from '#wire/json-scan.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Found } from './selection.ts'

/** Models that a key is restricted to (R18), as its owner wrote them; null: it is not restricted. */
export type AllowList = readonly string[] | null

/**
 * Whether a key may be answered by what was found. It is the model that would answer which counts, whatever it was called, or the id
 * that was looked up, letter by letter: nothing that stands before the lookup, such as an alias, leads around the list.
 */
export const isAllowed = (allowed: AllowList, found: Pick<Found, 'model'>, id: string): boolean =>
  allowed === null || allowed.includes(found.model.id) || allowed.includes(id)

const SHOWN_CHARACTERS_MAX = 100

/** A 403 that names what was asked for. */
export function notAllowed(id: string, param = 'model'): GatewayError {
  const message = `This API key may not use the model "${id.slice(0, SHOWN_CHARACTERS_MAX)}".`
  return new GatewayError('model_not_allowed', message, { param })
}

/** Members that the gateway follows itself, and takes out of what it sends. */
const FOLLOWED = ['models', 'fallbacks']
/** Members by which an upstream may take another model than the one in `model`. */
const CHOOSING = [
  ...FOLLOWED,
  'model',
  'fallback_model',
  'preset',
  'context_window_fallbacks',
  'content_policy_fallbacks',
]
/** Members in which whatever is called a model is one that would run. */
const HOLDING = ['tools', 'plugins', 'provider', 'extra_body', 'providerOptions', 'provider_options', 'compound_custom']
/** Where Gemini's requests repeat the model of their path. */
const NESTED = ['generateContentRequest', 'requests']
const WATCHED = [...CHOOSING, ...HOLDING, ...NESTED]
/** There are servers to which `Model` is `model` (Go's JSON reader). */
const SCAN = new ObjectScan(WATCHED, { foldsCase: true })
/** A tool or a plugin that runs a model of its own choice unless it is told one. */
const RUNS_MODELS = /image_generation|advisor|subagent|fusion|router/i
/** A member that names a model, or several. */
const NAMES_MODEL = /(?:^|_)models?$/i
/** What is nested deeper than this in a tool or a plugin is refused rather than searched. */
const SEARCH_DEPTH_MAX = 12

/**
 * Every model that a body names besides the one that was looked up and those that the gateway itself goes through, for a key that is
 * restricted (fault S34): some upstreams follow members that the gateway has no part in. Throws 400 for a spelling that the gateway and an
 * upstream might read differently, and 403 for what runs a model without naming it. The body is known to be JSON.
 */
export function modelsNamedIn({
  body,
  surface,
  wishes,
}: Pick<Parsed, 'body' | 'surface' | 'wishes'>): readonly string[] {
  SCAN.scan(body)
  const repeated = SCAN.count.findIndex((count) => count > 1)
  if (repeated >= 0) throw twice(WATCHED[repeated]!)
  const followed = wishes?.models ?? []
  const found: string[] = []
  for (const [index, name] of WATCHED.entries()) {
    if (!SCAN.has(index) || (surface !== 'gemini' && (name === 'model' || NESTED.includes(name)))) continue
    // Only these are made values of: a body may be large.
    const value = readValue(body, SCAN.start[index]!, SCAN.end[index]!)
    if (membersOf(value) !== writtenMembers(body, SCAN.start[index]!, SCAN.end[index]!)) throw twice(name)
    // One of those that may not be used is passed over like any that is not there (R68).
    if (FOLLOWED.includes(name)) found.push(...textsOf(value).filter((each) => !followed.includes(each)))
    else if (name === 'preset') found.push(...textsOf(value).map((slug) => `@preset/${slug}`))
    else if (HOLDING.includes(name)) search(name, value, found, 0)
    else if (surface === 'gemini') found.push(...textsOf(value).map((model) => model.replace(/^models\//, '')))
    else found.push(...textsOf(value))
  }
  return found
}

/** Members of a value, at any depth. */
function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const members = Object.values(value)
  return members.reduce((sum: number, each) => sum + membersOf(each), Array.isArray(value) ? 0 : members.length)
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a]

/** The same of its text, where one that is there twice counts twice: each has a colon that is in no string. */
function writtenMembers(body: Buffer, start: number, end: number): number {
  let members = 0
  let isInString = false
  for (let at = start; at < end; at++) {
    const byte = body[at]
    if (isInString && byte === BACKSLASH) at++
    else if (byte === QUOTE) isInString = !isInString
    else if (byte === COLON && !isInString) members++
  }
  return members
}

/** A member that parsers may read in two ways. */
const twice = (name: string): GatewayError =>
  new GatewayError('invalid_request', `The member "${name}" occurs more than once, in one case or in another.`, {
    param: name,
  })

/** Names, or objects with a `model`. */
function textsOf(value: unknown): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  return all.flatMap((each) => {
    const name = typeof each === 'object' && each !== null ? (each as { model?: unknown }).model : each
    return typeof name === 'string' ? [name] : []
  })
}

function search(param: string, value: unknown, found: string[], depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > SEARCH_DEPTH_MAX) throw notAllowed('nested too deeply to be seen', param)
  if (Array.isArray(value)) {
    for (const each of value) search(param, each, found, depth + 1)
    return
  }
  const fields = value as Readonly<Record<string, unknown>>
  const before = found.length
  for (const [name, member] of Object.entries(fields)) {
    if (isClientsOwn(name, fields)) continue
    if (NAMES_MODEL.test(name)) found.push(...textsOf(member))
    search(param, member, found, depth + 1)
  }
  const kind = [fields['type'], fields['id']].find((each) => typeof each === 'string' && RUNS_MODELS.test(each))
  if (kind !== undefined && fields['enabled'] !== false && found.length === before)
    throw notAllowed(`of "${String(kind).slice(0, 64)}"`, param)
}

/** Functions are the client's own: what they call a model is an argument. */
function isClientsOwn(name: string, fields: Readonly<Record<string, unknown>>): boolean {
  if (name === 'input_schema' || name === 'function' || name === 'functionDeclarations') return true
  if (name === 'function_declarations') return true
  return name === 'parameters' && (fields['type'] === 'function' || fields['type'] === undefined)
}
