import { parseAliasFlag, parseAliasJson } from './aliases.ts'
import { parseBoolean, parseNumber, type Environment } from './environment.ts'
import { OPTIONS, type Option, type OptionType } from './options.ts'
import type { Source } from './types.ts'

export type Values = Record<string, unknown>

export interface Merged {
  /** The file's values with flags, environment and defaults laid over and under, leaf by leaf (R112). */
  readonly values: Values
  /** Where each leaf came from, by its path. */
  readonly sources: Record<string, Source>
  /** The variable or flag that gave a leaf, by its path; absent when the file did. */
  readonly givenBy: Record<string, string>
}

/** Flags by their names without dashes, whatever spelling the command line parser hands over (`dataDir`, `data-dir`). */
export function readFlags(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(flags).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    entries.map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value]),
  )
}

/** Where faults of text values go. */
interface Findings {
  readonly errors: string[]
  readonly warnings: string[]
}

/** Lays flags > environment > file > defaults over each other. */
export function mergeOptions(
  file: Values,
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  findings: Findings,
): Merged {
  const values = structuredClone(file)
  const sources: Record<string, Source> = {}
  const givenBy: Record<string, string> = {}
  for (const [path] of leaves(file)) sources[path] = 'file'
  for (const option of OPTIONS) {
    const flag = flagOf(option, flags)
    const variable = option.env === undefined ? undefined : env[option.env]
    const given = flag ?? variable
    const source = flag === undefined ? 'env' : 'flag'
    // Two variables may speak of one setting; neither is stronger than a flag.
    if (given !== undefined && !(source === 'env' && sources[option.path] === 'flag')) {
      const name = flag === undefined ? option.env! : `--${option.flag}`
      const value = readOption(option, given, name, findings)
      if (value !== undefined && setLeaf(values, option.path, value)) {
        for (const path of Object.keys(sources)) if (isWithin(path, option.path)) delete sources[path]
        for (const [path] of leaves(value, option.path)) sources[path] = source
        sources[option.path] = source
        givenBy[option.path] = name
        continue
      }
    }
    if (option.default !== undefined && getLeaf(values, option.path) === undefined) {
      if (setLeaf(values, option.path, option.default)) sources[option.path] = 'default'
    }
  }
  return { values, sources, givenBy }
}

const isWithin = (path: string, parent: string): boolean =>
  path.startsWith(`${parent}[`) || path.startsWith(`${parent}.`)

function flagOf(option: Option, flags: Readonly<Record<string, unknown>>): unknown {
  for (const name of [option.flag, option.alsoFlag]) {
    if (name !== undefined && flags[name] !== undefined) return flags[name]
  }
  return undefined
}

function readOption(option: Option, given: unknown, name: string, findings: Findings): unknown {
  if (option.type === 'aliases') return readAliases(given, name, findings)
  const text = String(given)
  // A default stands behind the override, for a mode that passes the client's own value on (R114).
  if (option.type === 'identity') return { mode: 'override', override_value: text, default_value: text }
  const value = typeof given === 'boolean' ? given : readText(option.type, text)
  if (value instanceof Expected) {
    const fault = `${name}: expected ${value.what}${option.secret ? '' : `, got "${text}"`}`
    if (option.lenient) findings.warnings.push(`${fault}; the default is used`)
    else findings.errors.push(fault)
    return undefined
  }
  return option.inverted ? !(value as boolean) : value
}

function readAliases(given: unknown, name: string, { errors, warnings }: Findings): unknown {
  if (Array.isArray(given)) {
    return given.flatMap((text) => {
      const rule = parseAliasFlag(String(text))
      if (rule === undefined) errors.push(`${name}: expected PATTERN=REPLACEMENT, got "${String(text)}"`)
      return rule === undefined ? [] : [rule]
    })
  }
  const rules = parseAliasJson(String(given))
  if (rules === undefined) {
    warnings.push(`${name}: expected a JSON array of {"pattern", "replacement"}; no alias is in force`)
  }
  return rules ?? []
}

/** What a text should have been. */
class Expected {
  readonly what: string
  constructor(what: string) {
    this.what = what
  }
}

function readText(type: Exclude<OptionType, 'aliases' | 'identity'>, text: string): unknown {
  switch (type) {
    case 'text':
      return text
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
    case 'boolean':
      return parseBoolean(text) ?? new Expected('one of 1, true, yes, on, 0, false, no, off')
    case 'integer': {
      const number = parseNumber(text)
      return number !== undefined && Number.isSafeInteger(number) ? number : new Expected('integer')
    }
    case 'number':
      return parseNumber(text) ?? new Expected('number')
    case 'seconds':
      return parseNumber(text) ?? new Expected('seconds')
    default:
      return type satisfies never
  }
}

function getLeaf(values: Values, path: string): unknown {
  let at: unknown = values
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Values)[step]
  }
  return at ?? undefined
}

/** False when something that is no object stands in the way; the schema will name it. */
function setLeaf(values: Values, path: string, value: unknown): boolean {
  const steps = path.split('.')
  const last = steps.pop()!
  let at = values
  for (const step of steps) {
    at[step] ??= {}
    if (typeof at[step] !== 'object' || Array.isArray(at[step])) return false
    at = at[step] as Values
  }
  at[last] = structuredClone(value)
  return true
}

/** Every leaf of nested values with its path (`models[0].id`); an empty list or object is a leaf. */
export function* leaves(value: unknown, path = ''): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    if (path !== '') yield [path, value]
    return
  }
  for (const [key, part] of Object.entries(value)) {
    yield* leaves(part, Array.isArray(value) ? `${path}[${key}]` : `${path}${path && '.'}${key}`)
  }
}
