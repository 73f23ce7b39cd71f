import { GatewayError } from '#base/errors.ts'
import { escapePointer } from '#ir/extensions.ts'

/** The names of an object's members by each of their spellings: Google's JSON takes camelCase and snake_case alike. */
export type Spellings = ReadonlyMap<string, string>

export function spellingsOf(names: readonly string[]): Spellings {
  return new Map(names.flatMap((name) => [[name, name] as const, [snakeCaseOf(name), name] as const]))
}

const snakeCaseOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * The members of one object of a client's request, whatever their spelling. A member that is null is absent, as in every
 * JSON of Google's. Throws GatewayError 400 for a value that is no object, and for a member that occurs in both spellings.
 */
export class Members {
  readonly path: string
  /** What is none of the names, as it stood; undefined when there is nothing. */
  readonly rest: Readonly<Record<string, unknown>> | undefined
  private readonly found = new Map<string, { readonly value: unknown; readonly spelled: string }>()

  constructor(value: unknown, path: string, names: Spellings) {
    if (!isObject(value)) throw invalid(path, 'must be an object')
    this.path = path
    const rest: [string, unknown][] = []
    for (const [spelled, member] of Object.entries(value)) {
      const name = names.get(spelled)
      if (member === null) continue
      if (name === undefined) rest.push([spelled, member])
      else if (this.found.has(name)) throw invalid(`${path}/${name}`, 'occurs more than once', 'invalid_request')
      else this.found.set(name, { value: member, spelled })
    }
    this.rest = rest.length > 0 ? Object.fromEntries(rest) : undefined
  }

  /** The member's value; undefined when it is absent. */
  get(name: string): unknown {
    return this.found.get(name)?.value
  }

  has(name: string): boolean {
    return this.found.has(name)
  }

  /** JSON pointer to the member, in the client's spelling. */
  pathOf(name: string): string {
    return `${this.path}/${escapePointer(this.found.get(name)?.spelled ?? name)}`
  }

  string(name: string): string | null {
    const value = this.get(name)
    if (value === undefined) return null
    if (typeof value !== 'string') throw invalid(this.pathOf(name), 'must be a string')
    return value
  }

  flag(name: string): boolean | null {
    const value = this.get(name)
    if (value === undefined) return null
    if (typeof value !== 'boolean') throw invalid(this.pathOf(name), 'must be true or false')
    return value
  }

  number(name: string): number | null {
    const value = this.get(name)
    if (value === undefined) return null
    if (typeof value !== 'number') throw invalid(this.pathOf(name), 'must be a number')
    return value
  }

  /** A list of strings; one string alone is a list of it. */
  strings(name: string): readonly string[] | null {
    const values = this.list(name)
    if (!this.has(name)) return null
    return values.map(({ value, path }) => {
      if (typeof value !== 'string') throw invalid(path, 'must be a string')
      return value
    })
  }

  /** The elements of a list. Google takes a single value for a list of one. */
  list(name: string): readonly Element[] {
    const value = this.get(name)
    if (value === undefined) return []
    const path = this.pathOf(name)
    return Array.isArray(value)
      ? value.map((element: unknown, index) => ({ value: element, path: `${path}/${index}` }))
      : [{ value, path }]
  }
}

export interface Element {
  readonly value: unknown
  readonly path: string
}

/** A request that cannot be read; `path` is the JSON pointer to what is wrong. */
export function invalid(
  path: string,
  complaint: string,
  code: 'invalid_parameter' | 'invalid_request' = 'invalid_parameter',
): GatewayError {
  const param = path.slice(1).replaceAll('/', '.')
  return new GatewayError(code, `"${param}" ${complaint}.`, { param })
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** The members that only Gemini knows, for a node's `ext`. */
export function extensionOf(members: Readonly<Record<string, unknown>> | undefined): {
  ext?: { gemini: Readonly<Record<string, unknown>> }
} {
  return members === undefined ? {} : { ext: { gemini: members } }
}

/** Puts what only Gemini knows back beside what was built; objects on both sides are merged. */
export function withExtension(
  built: Readonly<Record<string, unknown>>,
  extension: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...built }
  for (const [name, value] of Object.entries(extension ?? {})) {
    const own = merged[name]
    merged[name] = isObject(own) && isObject(value) ? withExtension(own, value) : value
  }
  return merged
}
