/** What the program prints: tables for people, JSON for programs; never both on one stream. */

export interface Output {
  out(text: string): void
  error(text: string): void
}

export type Cell = string | number | boolean | null | undefined

const GAP = '  '
const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** Rows under headings, columns as wide as their content; columns that hold only numbers are aligned to the right. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(cellText))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)),
  )
  const isNumeric = headings.map(
    (_, column) => texts.length > 0 && texts.every((row) => row[column] === '-' || DECIMAL.test(row[column] ?? '')),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join(GAP)
      .trimEnd()
  return [line(headings.map((heading) => heading.toUpperCase())), ...texts.map(line)].join('\n')
}

/** Names and values under each other. */
export function pairs(entries: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)}${GAP}${cellText(value)}`).join('\n')
}

function cellText(value: Cell): string {
  if (value === null || value === undefined || value === '') return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return String(value)
}

export const json = (value: unknown): string => JSON.stringify(value, null, 2)
