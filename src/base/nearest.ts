/** Ids longer than this are not compared: the distance costs length times length. */
const LENGTH_MAX = 100

/** The `count` candidates that differ least from `text`, best first; what differs in more than half its letters is left out. */
export function nearest(text: string, candidates: Iterable<string>, count: number): string[] {
  if (text.length > LENGTH_MAX) return []
  const wanted = text.toLowerCase()
  const scored: { id: string; distance: number }[] = []
  for (const id of candidates) {
    if (id.length > LENGTH_MAX) continue
    const distance = editDistance(wanted, id.toLowerCase())
    if (distance <= Math.max(2, Math.ceil(Math.min(wanted.length, id.length) / 2))) scored.push({ id, distance })
  }
  scored.sort((left, right) => left.distance - right.distance || (left.id < right.id ? -1 : 1))
  return scored.slice(0, count).map(({ id }) => id)
}

/** Levenshtein distance with one row of memory. */
function editDistance(left: string, right: string): number {
  const row = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let line = 1; line <= left.length; line++) {
    let diagonal = row[0]!
    row[0] = line
    for (let column = 1; column <= right.length; column++) {
      const above = row[column]!
      const same = left[line - 1] === right[column - 1]
      row[column] = same ? diagonal : 1 + Math.min(diagonal, above, row[column - 1]!)
      diagonal = above
    }
  }
  return row[right.length]!
}
