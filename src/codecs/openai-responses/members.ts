import { GatewayError } from '#base/errors.ts'
import { isRawNumber } from '#base/exact-json.ts'
import type { Extensions } from '#ir/extensions.ts'

/** Reading a client's JSON: what has the wrong shape is refused in the client's own terms. */

export const PROTOCOL = 'openai-responses'

export type Members = Readonly<Record<string, unknown>>

/** A number that JavaScript would round is an object without prototype and no record. */
export function isRecord(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !isRawNumber(value)
}

/** `path` is a JSON pointer. Throws GatewayError (400). */
export function recordOf(value: unknown, path: string): Members {
  if (!isRecord(value)) throw invalid(path, 'must be an object')
  return value
}

export function listOf(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(path, 'must be an array')
  return value as unknown[]
}

export function textOf(value: unknown, path: string): string {
  if (typeof value !== 'string') throw invalid(path, 'must be a string')
  return value
}

/** Null stands for absent. */
export function optionalText(value: unknown, path: string): string | null {
  return value === undefined || value === null ? null : textOf(value, path)
}

export function optionalFlag(value: unknown, path: string): boolean | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'boolean') throw invalid(path, 'must be true or false')
  return value
}

export function optionalRecord(value: unknown, path: string): Members | null {
  return value === undefined || value === null ? null : recordOf(value, path)
}

/** A whole number from 0; 0 is a value (R80). */
export function optionalCount(value: unknown, path: string): number | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw invalid(path, 'must be a whole number from 0')
  return value
}

/** A complaint about what stands at `path`; the client is told the place as OpenAI spells it: `input[0].role`. */
export function invalid(path: string, what: string): GatewayError {
  const param = path
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.')
  return param === ''
    ? new GatewayError('invalid_request', `The body ${what}.`)
    : new GatewayError('invalid_request', `"${param}" ${what}.`, { param })
}

/**
 * What the protocol's own encoder writes back and no other has to declare lost: a null, which says nothing; ids and states of items,
 * which only frame what they stand with; and what the gateway itself sees to (stored state, encrypted reasoning).
 */
const ASIDE = Symbol('aside')

interface Extension extends Members {
  readonly [ASIDE]?: Members
}

/**
 * What is left of `members` without the `known` ones, as it stood; null when nothing is. Nulls and the names of `aside` are set
 * aside.
 */
export function restOf(members: Members, known: ReadonlySet<string>, aside = NO_NAMES): Members | null {
  let rest: Record<string, unknown> | null = null
  let set: Record<string, unknown> | null = null
  for (const name of Object.keys(members)) {
    const value = members[name]
    if (value === null || aside.has(name)) {
      set ??= {}
      set[name] = value
    } else if (!known.has(name)) {
      rest ??= {}
      rest[name] = value
    }
  }
  return set === null ? rest : withAside(rest, set)
}

/** `rest` with more members set aside. */
export function withAside(rest: Members | null, aside: Members): Members {
  return { ...rest, [ASIDE]: { ...(rest as Extension | null)?.[ASIDE], ...aside } }
}

/** Whether there is anything that another protocol would have to declare. */
export function isDeclared(rest: Members): boolean {
  return Object.keys(rest).length > 0
}

const NO_NAMES: ReadonlySet<string> = new Set()

/** The rest as a node's `ext`. */
export function extensionOf(rest: Members | null): { ext?: Extensions } {
  return rest === null ? {} : { ext: { [PROTOCOL]: rest } }
}

/** What only this protocol knows of a node, to be written back. */
export function ownMembers(node: { readonly ext?: Extensions }): Members {
  return revealed(node.ext?.[PROTOCOL])
}

/** A rest with what was set aside. */
export function revealed(rest: unknown): Members {
  const { [ASIDE]: aside, ...members } = (rest ?? {}) as Extension
  return aside === undefined ? members : { ...members, ...aside }
}
