const DAY_MS = 86_400_000
/** No zone is further from UTC. */
const OFFSET_MS_MAX = 15 * 3_600_000

/** A zone of the IANA database. A local date is written as its midnight in UTC. */
export interface TimeZone {
  /** The local date at a time. */
  dateOf(ms: number): number
  /** The first moment of a local date. */
  beginOf(dateMs: number): number
}

/** Throws RangeError for a zone that is not known. */
export function timeZone(name: string): TimeZone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    calendar: 'gregory',
    numberingSystem: 'latn',
  })
  const dateOf = (ms: number): number => {
    const part = { year: 0, month: 1, day: 1 }
    for (const { type, value } of format.formatToParts(ms)) {
      if (type === 'year' || type === 'month' || type === 'day') part[type] = Number(value)
    }
    return Date.UTC(part.year, part.month - 1, part.day)
  }
  return {
    dateOf,
    // Searched for and not computed: where clocks are put forward at midnight a day begins later.
    beginOf(dateMs) {
      let before = dateMs - OFFSET_MS_MAX
      let within = dateMs + OFFSET_MS_MAX
      while (within - before > 1) {
        const middle = Math.floor((before + within) / 2)
        if (dateOf(middle) < dateMs) before = middle
        else within = middle
      }
      return within
    },
  }
}

/** 1970-01-01 was a Thursday; four days later is the first Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** The Monday of a date. */
export const mondayOf = (dateMs: number): number =>
  dateMs - (((((dateMs - FIRST_MONDAY_MS) / DAY_MS) % 7) + 7) % 7) * DAY_MS
