import { isObject } from './members.ts'

type Step = string | number

/**
 * Arguments that come in pieces (`streamFunctionCallArguments`): each piece names a place by its JSON path and gives a
 * value there, or more of a string. They are written as JSON text in the order they come, so that every piece is a delta
 * at once. Source: Google's reference of `PartialArg`; RFC 9535 for the paths.
 */
export class PartialArguments {
  /** Set when a piece does not fit what was already written: the text so far is no JSON then. */
  isBroken = false
  /** Place of the value written last. */
  private place: readonly Step[] = []
  /** Member names used so far in each object around the last value, by depth. */
  private readonly used: Set<string>[] = []
  private isStringOpen = false

  /** JSON text of these pieces, following what was written before. */
  write(pieces: unknown): string {
    let text = ''
    for (const piece of Array.isArray(pieces) ? (pieces as unknown[]) : []) {
      if (this.isBroken) break
      text += this.writePiece(isObject(piece) ? piece : {})
    }
    return text
  }

  /** What closes the text; empty when there was no piece. */
  end(): string {
    let text = this.closeString()
    for (let depth = this.place.length - 1; depth >= 0; depth--) text += closing(this.place[depth]!)
    this.place = []
    return text
  }

  private writePiece(piece: Readonly<Record<string, unknown>>): string {
    const value = textOfValue(piece)
    const place = stepsOf(piece['jsonPath'])
    if (place === null || value === null) return this.break()
    const willContinue = piece['willContinue'] === true && typeof piece['stringValue'] === 'string'
    if (this.isStringOpen && isSame(place, this.place))
      return value.slice(1, -1) + (willContinue ? '' : this.closeString())
    const opening = this.closeString() + this.moveTo(place)
    if (this.isBroken) return ''
    this.isStringOpen = willContinue
    return opening + (willContinue ? value.slice(0, -1) : value)
  }

  /** Closes and opens what lies between the last value and this place. */
  private moveTo(place: readonly Step[]): string {
    const last = this.place
    let shared = 0
    while (shared < last.length && shared < place.length && last[shared] === place[shared]) shared++
    if (last.length > 0 && (shared === last.length || shared === place.length)) return this.break()
    let text = ''
    for (let depth = last.length - 1; depth > shared; depth--) text += closing(last[depth]!)
    this.used.length = Math.min(this.used.length, last.length === 0 ? 0 : shared + 1)
    for (let depth = shared; depth < place.length; depth++) {
      const isFirst = depth > shared || last.length === 0
      text += this.stepInto(place[depth]!, depth, isFirst ? undefined : last[depth])
    }
    this.place = place
    return text
  }

  /** Opens a member or element; `before` is the one before it in the same container, undefined for the first. */
  private stepInto(step: Step, depth: number, before: Step | undefined): string {
    if (typeof step === 'number') {
      if (step !== (before === undefined ? 0 : typeof before === 'number' ? before + 1 : -1)) return this.break()
      if (before !== undefined) return ','
      this.used[depth] = new Set()
      return '['
    }
    if (typeof before === 'number') return this.break()
    if (before === undefined) this.used[depth] = new Set()
    const used = this.used[depth]!
    if (used.has(step)) return this.break()
    used.add(step)
    return `${before === undefined ? '{' : ','}${JSON.stringify(step)}:`
  }

  private closeString(): string {
    if (!this.isStringOpen) return ''
    this.isStringOpen = false
    return '"'
  }

  private break(): string {
    this.isBroken = true
    return ''
  }
}

const closing = (step: Step): string => (typeof step === 'number' ? ']' : '}')

function isSame(left: readonly Step[], right: readonly Step[]): boolean {
  return left.length === right.length && left.every((step, index) => step === right[index])
}

function textOfValue(piece: Readonly<Record<string, unknown>>): string | null {
  for (const name of ['stringValue', 'numberValue', 'boolValue']) {
    const value = piece[name]
    if (value !== undefined && value !== null) return JSON.stringify(value)
  }
  return 'nullValue' in piece ? 'null' : null
}

/** `.name`, `[0]`, `['name']`, `["name"]`. */
const STEP = /\.([^.[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\[("(?:[^"\\]|\\.)*")\]/y

/** The steps of a path from the root; null for what is none. */
function stepsOf(path: unknown): readonly Step[] | null {
  if (typeof path !== 'string' || !path.startsWith('$') || path.length < 2) return null
  const steps: Step[] = []
  STEP.lastIndex = 1
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path)
    if (match === null) return null
    const [, name, index, single, double] = match
    if (index !== undefined) steps.push(Number(index))
    else steps.push(name ?? unquoted(single, double))
  }
  return typeof steps[0] === 'string' ? steps : null
}

function unquoted(single: string | undefined, double: string | undefined): string {
  if (single !== undefined) return single.replace(/\\(.)/g, '$1')
  try {
    return JSON.parse(double!) as string
  } catch {
    return double!.slice(1, -1)
  }
}
