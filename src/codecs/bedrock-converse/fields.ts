import { isRawNumber } from '#base/exact-json.ts'

export type Fields = Readonly<Record<string, unknown>>

/** Whether a value is a JSON object. A number that is kept as its source text is an object to JavaScript and none here. */
export function isObject(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !isRawNumber(value)
}

/** A JSON object without these members. */
export function without(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
}
