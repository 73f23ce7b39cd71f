import { parseBoolean, parseNumber, type Environment } from './environment.ts'
import { OPTIONS, type Option } from './options.ts'
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

/** Lays flags > environment > file > defaults over each other. Faults of text values are pushed to `errors`. */
export function mergeOptions(
  file: Values,
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  errors: string[],
): Merged {
  const values = structuredClone(file)
  const sources: Record<string, Source> = {}
  const givenBy: Record<string, string> = {}
  for (const [path] of leaves(file)) sources[path] = 'file'
  for (const option of OPTIONS) {
    const flag = option.flag === undefined ? undefined : flags[option.flag]
    const variable = option.env === undefined ? undefined : env[option.env]
    const given = flag ?? variable
    if (given !== undefined) {
      const name = flag === undefined ? option.env! : `--${option.flag}`
      const value = readText(option, given, name, errors)
      if (value === undefined || !setLeaf(values, option.path, value)) continue
      for (const path of Object.keys(sources)) if (path.startsWith(`${option.path}[`)) delete sources[path]
      sources[option.path] = flag === undefined ? 'env' : 'flag'
      givenBy[option.path] = name
    } else if (option.default !== undefined && getLeaf(values, option.path) === undefined) {
      if (setLeaf(values, option.path, option.default)) sources[option.path] = 'default'
    }
  }
  return { values, sources, givenBy }
}

function readText(option: Option, given: unknown, name: string, errors: string[]): unknown {
  if (typeof given === 'boolean' && option.type === 'boolean') return given
  const text = String(given)
  const fault = (expected: string): undefined => {
    errors.push(`${name}: expected ${expected}${option.secret ? '' : `, got "${text}"`}`)
  }
  switch (option.type) {
    case 'text':
      return text
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
    case 'boolean':
      return parseBoolean(text) ?? fault('one of 1, true, yes, on, 0, false, no, off')
    case 'integer': {
      const number = parseNumber(text)
      return number !== undefined && Number.isSafeInteger(number) ? number : fault('integer')
    }
    case 'seconds':
      return parseNumber(text) ?? fault('seconds')
    default:
      return option.type satisfies never
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
