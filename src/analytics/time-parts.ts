import { sql } from 'kysely'
import { DAY_MS, HOUR_MS } from './rollup-tables.ts'

/** The first day of all was a Thursday. */
const FIRST_WEEKDAY = 4

/** Hour of the day in UTC of a column in milliseconds. */
export const hourOf = (column: string) => sql<number>`(${sql.ref(column)} / ${sql.lit(HOUR_MS)}) % 24`

/** Day of the week in UTC; 0 is Sunday. */
export const weekdayOf = (column: string) =>
  sql<number>`(${sql.ref(column)} / ${sql.lit(DAY_MS)} + ${sql.lit(FIRST_WEEKDAY)}) % 7`
