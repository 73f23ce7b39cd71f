/**
 * Whether `bytes[from, to)` is `string`. A loop over the few bytes of a name is cheaper than a call out of JavaScript, and
 * every key of a text and every event of a stream makes one.
 */
export function isAt(string: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (string.length !== to - from) return false
  for (let at = 0; at < string.length; at++) if (string[at] !== bytes[from + at]) return false
  return true
}

/** Which of `strings` `bytes[from, to)` is; -1 for none of them. */
export function indexAt(strings: readonly Uint8Array[], bytes: Uint8Array, from: number, to: number): number {
  for (let index = 0; index < strings.length; index++) if (isAt(strings[index]!, bytes, from, to)) return index
  return -1
}
