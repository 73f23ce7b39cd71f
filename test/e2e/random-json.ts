/** Random JSON text from a seed, in the forms that a parser which rebuilds it would not keep. */

/** A small deterministic generator (mulberry32): numbers in [0, 1). */
export function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const DEPTH_MAX = 5
const MEMBERS_MAX = 6
const NUMBERS = [
  '0',
  '-0',
  '1.0',
  '9007199254740993',
  '-12345678901234567890',
  '1e2',
  '0.1E-10',
  '3.14159265358979323846',
]
const STRINGS = [
  '""',
  '"\\u0041\\n"',
  '"\\/"',
  '"é🚀"',
  '"\\ud83d\\ude00"',
  '"data: {}\\n\\n"',
  '"\\"model\\":\\"x\\""',
  '"10"',
]
/** Names of members that the gateway reads at the top level: below it they are the client's own. */
const NAMES = ['model', 'stream', 'usage', 'cost', 'max_tokens', '10', '2', '__proto__', 'é', '', 'a\\"b', 'messages']

/** The members of an object as text, `"name":value` each; their names start with `x_`, so that no one means anything. */
export function randomObject(next: () => number): string[] {
  const count = 1 + Math.floor(next() * MEMBERS_MAX)
  return Array.from({ length: count }, (_, index) => `"x_${index}":${randomValue(next, 0)}`)
}

const pick = (next: () => number, from: readonly string[]): string => from[Math.floor(next() * from.length)]!

function randomValue(next: () => number, depth: number): string {
  const kind = Math.floor(next() * (depth >= DEPTH_MAX ? 4 : 6))
  const size = Math.floor(next() * MEMBERS_MAX)
  const space = next() < 0.2 ? ' \n' : ''
  switch (kind) {
    case 0:
      return pick(next, NUMBERS)
    case 1:
      return pick(next, STRINGS)
    case 2:
      return pick(next, ['true', 'false', 'null'])
    case 3:
      return pick(next, ['{}', '[]', '{ }', '[\n]'])
    case 4:
      return `[${Array.from({ length: size }, () => randomValue(next, depth + 1)).join(`,${space}`)}]`
    default: {
      const members = Array.from(
        { length: size },
        () => `"${pick(next, NAMES)}"${space}:${randomValue(next, depth + 1)}`,
      )
      return `{${members.join(`,${space}`)}}`
    }
  }
}
