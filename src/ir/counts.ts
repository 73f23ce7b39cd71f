/** A count as a wire reports it: a non-negative safe integer, else it does not count as reported (fault M6). */
export function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** Whether a count was reported that is none, so that the report as a whole cannot be believed (fault M6). */
export function isMiscount(value: unknown): boolean {
  return value !== undefined && value !== null && countOf(value) === null
}

/** Sum that stays null when nothing was reported. */
export function sumOf(...counts: readonly (number | null)[]): number | null {
  let sum: number | null = null
  for (const count of counts) if (count !== null) sum = (sum ?? 0) + count
  return sum
}

/** The members of a JSON object, or none when the value is something else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}
}
