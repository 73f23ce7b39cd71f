import { parseFaithfulJson } from '#base/exact-json.ts'

/** Stands in a call's arguments for a text that is no JSON object, where a protocol has no place for one. */
const INVALID_ARGUMENTS = '__invalid_json'

type Arguments = Readonly<Record<string, unknown>>

/**
 * Arguments as the object that some protocols want. None is `{}`, also when a model writes `null` for it. A text that is no
 * JSON object stays whole within one, because repairing it would invent a call.
 */
export function argumentObject(text: string): Arguments {
  const said = text.trim()
  return said === '' || said === 'null' ? {} : (objectOf(text) ?? { [INVALID_ARGUMENTS]: text })
}

/** The object that a JSON text says; null when it says something else or is no JSON. */
export function objectOf(text: string): Arguments | null {
  if (!/^\s*\{/.test(text)) return null
  try {
    return parseFaithfulJson(text) as Arguments
  } catch {
    return null
  }
}

/** The text that `argumentObject` had to keep; null when the arguments are what they seem. */
export function invalidArguments(value: Arguments): string | null {
  const text = value[INVALID_ARGUMENTS]
  return typeof text === 'string' && Object.keys(value).length === 1 ? text : null
}
