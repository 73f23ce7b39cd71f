/** Where two JSON values differ, as pointers with both sides cut short. */

const SHOWN_CHARACTERS_MAX = 160
const ABSENT = Symbol('absent')

export interface Difference {
  readonly path: string
  readonly left: unknown
  readonly right: unknown
}

export function differencesOf(left: unknown, right: unknown): Difference[] {
  return [...walk(left, right, '')]
}

export function shown({ path, left, right }: Difference): string {
  return `${path || '/'}: ${cutShort(left)} became ${cutShort(right)}`
}

function* walk(left: unknown, right: unknown, path: string): Generator<Difference> {
  if (Object.is(left, right)) return
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) {
    if (!isSameRaw(left, right)) yield { path, left, right }
    return
  }
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)]))
    yield* walk(memberOf(left, name), memberOf(right, name), `${path}/${name}`)
}

const isContainer = (value: unknown): value is Record<string, unknown> =>
  value !== null &&
  typeof value === 'object' &&
  !(JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)

const memberOf = (value: Record<string, unknown>, name: string): unknown => (name in value ? value[name] : ABSENT)

function isSameRaw(left: unknown, right: unknown): boolean {
  if (left === ABSENT || right === ABSENT || isContainer(left) || isContainer(right)) return false
  return JSON.stringify(left) === JSON.stringify(right)
}

function cutShort(value: unknown): string {
  return value === ABSENT ? 'nothing' : String(JSON.stringify(value)).slice(0, SHOWN_CHARACTERS_MAX)
}

export const isAbsent = (value: unknown): boolean => value === ABSENT
