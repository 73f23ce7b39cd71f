/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>

/** A request that the simulator answers with an error in its own protocol. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string | null
  readonly param: string | null

  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

const wrong = (name: string, wanted: string): Refusal =>
  new Refusal(400, `Invalid '${name}': ${wanted} expected.`, 'invalid_type', name)

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object; absent and null are `{}`. Throws Refusal 400. */
export function readFields(value: unknown, name: string): Fields {
  if (value === undefined || value === null) return {}
  if (!isFields(value)) throw wrong(name, 'an object')
  return value
}

/** An array; absent and null are `[]`. Throws Refusal 400. */
export function readList(value: unknown, name: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw wrong(name, 'an array')
  return value
}

/** An array of objects; absent and null are `[]`. Throws Refusal 400. */
export const readFieldsList = (value: unknown, name: string): Fields[] =>
  readList(value, name).map((entry, index) => {
    if (!isFields(entry)) throw wrong(`${name}[${index}]`, 'an object')
    return entry
  })

/** A string; absent and null are ''. Throws Refusal 400. */
export function readText(value: unknown, name: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw wrong(name, 'a string')
  return value
}

/** An integer of at least 1; absent and null are null. Throws Refusal 400. */
export function readCount(value: unknown, name: string): number | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) throw wrong(name, 'an integer of at least 1')
  return value
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

/** Bytes of base64 or base64url text. Throws Refusal 400. */
export function readBase64(value: unknown, name: string): Buffer {
  const text = readText(value, name)
  if (!text || !BASE64.test(text)) throw wrong(name, 'base64 data')
  return Buffer.from(text, 'base64')
}

/** One string or a list of strings, as `stop` is written. Throws Refusal 400. */
export const readTexts = (value: unknown, name: string): string[] =>
  (typeof value === 'string' ? [value] : readList(value, name)).map((text) => readText(text, name)).filter(Boolean)

/** JSON text as its value; text that is no JSON (a fault) as it is. */
export function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
