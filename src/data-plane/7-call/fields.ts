import { isRawNumber } from '#base/exact-json.ts'

/** Members of a JSON object that is being changed. */
export type Fields = Record<string, unknown>

/** Null for what is no object of members: arrays, and numbers that are kept as text. */
export const fieldsIn = (value: unknown): Fields | null =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !isRawNumber(value) ? (value as Fields) : null

/** The object under a name, made when there is none. */
export function childOf(holder: Fields, name: string): Fields {
  const child = fieldsIn(holder[name])
  if (child) return child
  const made: Fields = {}
  holder[name] = made
  return made
}
