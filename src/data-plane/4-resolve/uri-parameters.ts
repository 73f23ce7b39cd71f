/** Parameters behind the `?` of a model string, by the names of R30. Absent: not given. */
export interface UriParameters {
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
  readonly max_tokens?: number
  readonly seed?: number
  readonly presence_penalty?: number
  readonly frequency_penalty?: number
  readonly reasoning_effort?: string
  readonly verbosity?: string
}

export interface ReadParameters {
  readonly id: string
  readonly parameters: UriParameters
  /** What was left out (R31). */
  readonly faults: readonly Fault[]
}

/** A parameter that is left out. `isError`: its value is wrong, rather than that nobody knows it. */
export interface Fault {
  readonly name: string
  readonly reason: string
  readonly isError: boolean
}

export const NO_PARAMETERS: UriParameters = {}
const NO_FAULTS: readonly Fault[] = []

interface Range {
  readonly kind: 'float' | 'integer'
  readonly min: number
  readonly max: number
}

type Rule = Range | { readonly kind: 'word'; readonly words: readonly string[] }

const float = (min: number, max: number): Range => ({ kind: 'float', min, max })
const integer = (min: number, max = Number.MAX_SAFE_INTEGER): Range => ({ kind: 'integer', min, max })
const word = (...words: string[]): Rule => ({ kind: 'word', words })

const RULES: Readonly<Record<keyof UriParameters, Rule>> = {
  temperature: float(0, 2),
  top_p: float(0, 1),
  top_k: integer(1),
  max_tokens: integer(1, 2 ** 31 - 1),
  seed: integer(Number.MIN_SAFE_INTEGER),
  presence_penalty: float(-2, 2),
  frequency_penalty: float(-2, 2),
  reasoning_effort: word('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
  verbosity: word('low', 'medium', 'high'),
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/i
const NAME_CHARACTERS_MAX = 40

/**
 * Cuts the query off a model string and reads it. What is unknown, out of range or malformed is left out and told, never refused
 * (R31). A repeated name counts with its last value; blank values count for nothing.
 */
export function readParameters(text: string): ReadParameters {
  const mark = text.indexOf('?')
  if (mark < 0) return { id: text, parameters: NO_PARAMETERS, faults: NO_FAULTS }
  const parameters: Record<string, number | string> = {}
  const faults: Fault[] = []
  for (const part of text.slice(mark + 1).split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    if (equals < 0) {
      faults.push({ name: shown(name), reason: 'has no value', isError: false })
      continue
    }
    const value = decode(part.slice(equals + 1)).trim()
    if (value === '') continue
    const read = readValue(name, value)
    if (typeof read === 'object') {
      delete parameters[name]
      faults.push({ name: shown(name), reason: read.fault, isError: Object.hasOwn(RULES, name) })
    } else parameters[name] = read
  }
  return { id: text.slice(0, mark), parameters, faults }
}

function readValue(name: string, value: string): number | string | { readonly fault: string } {
  if (!Object.hasOwn(RULES, name)) return { fault: 'unknown parameter' }
  const rule = RULES[name as keyof UriParameters]
  if (rule.kind === 'word') {
    return rule.words.includes(value) ? value : { fault: `${shown(value)} is none of ${rule.words.join(' ')}` }
  }
  const number = NUMBER.test(value) ? Number(value) : Number.NaN
  if (Number.isNaN(number)) return { fault: `${shown(value)} is no number` }
  if (rule.kind === 'integer' && !Number.isSafeInteger(number)) return { fault: `${shown(value)} is no whole number` }
  if (number < rule.min) return { fault: `${number} below minimum value (${floatText(rule.min)})` }
  if (number > rule.max) return { fault: `${number} above maximum value (${floatText(rule.max)})` }
  return number
}

const floatText = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 10 ? value.toFixed(1) : `${value}`

const shown = (text: string): string => text.slice(0, NAME_CHARACTERS_MAX)

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
