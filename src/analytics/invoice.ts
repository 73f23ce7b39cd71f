import { GatewayError } from '#base/errors.ts'
import { decimalText, type NanoUsd, parseUsd } from '#base/money.ts'

/** Lines of one invoice. */
export const INVOICE_LINES_MAX = 20_000

const NANO_DIGITS = 9

/** What a provider charges for one model and one day. */
export interface InvoiceLine {
  /** UTC, `2026-11-20`. */
  readonly day: string
  /** As the provider calls it. */
  readonly model: string
  /** Null: the invoice names none. */
  readonly backend: string | null
  readonly costNano: NanoUsd
  /** The last place that is written: a difference of half of it is rounding. */
  readonly unitNano: NanoUsd
}

/** The names that a column goes by. */
const COLUMNS = {
  day: ['day', 'date', 'usage_date', 'start_time'],
  model: ['model', 'model_id', 'line_item'],
  cost: ['cost', 'cost_usd', 'amount', 'amount_usd', 'usd', 'total_cost'],
  backend: ['backend', 'provider'],
} as const

/** Reads a CSV with a heading line. Throws GatewayError('invalid_parameter') that names the line at fault. */
export function readInvoice(csv: string): InvoiceLine[] {
  const rows = parseCsv(csv)
  const [heading, ...lines] = rows
  if (!heading || lines.length === 0) throw wrong('The invoice has no lines; a heading and at least one are expected.')
  if (lines.length > INVOICE_LINES_MAX) throw wrong(`An invoice has at most ${INVOICE_LINES_MAX} lines.`)
  const names = heading.map((name) => name.trim().toLowerCase().replaceAll(' ', '_'))
  const at = (column: keyof typeof COLUMNS): number =>
    names.findIndex((name) => COLUMNS[column].includes(name as never))
  const missing = (['day', 'model', 'cost'] as const).find((column) => at(column) < 0)
  if (missing) throw wrong(`The invoice has no column '${missing}' (${COLUMNS[missing].join(', ')}).`)
  return lines.map((cells, index) => {
    const line = index + 2
    const cell = (column: keyof typeof COLUMNS): string => cells[at(column)]?.trim() ?? ''
    const [day, model] = [cell('day').slice(0, 'YYYY-MM-DD'.length), cell('model')]
    if (!isDay(day)) throw wrong(`Line ${line}: the day is no date such as 2026-11-20.`)
    if (model === '') throw wrong(`Line ${line}: there is no model.`)
    return { day, model, backend: cell('backend') || null, ...amountOf(cell('cost'), line) }
  })
}

const isDay = (day: string): boolean => /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day))

/** More digits than ours are rounded half up; providers write floats. */
function amountOf(text: string, line: number): Pick<InvoiceLine, 'costNano' | 'unitNano'> {
  const plain = decimalText(text.replace(/^(-?)\$/, '$1').replaceAll(',', '')) ?? ''
  const [whole = '', fraction = ''] = plain.split('.')
  const kept = parseUsd(fraction === '' ? whole : `${whole}.${fraction.slice(0, NANO_DIGITS)}`)
  if (kept === undefined || !/^\d*$/.test(fraction)) throw wrong(`Line ${line}: the cost is no amount in USD.`)
  const roundsUp = (fraction[NANO_DIGITS] ?? '0') >= '5'
  const away = plain.startsWith('-') ? -1n : 1n
  const places = Math.min(fraction.length, NANO_DIGITS)
  return { costNano: roundsUp ? kept + away : kept, unitNano: 10n ** BigInt(NANO_DIGITS - places) }
}

/** Cells of a CSV (RFC 4180); commas or semicolons, whichever the heading has. Empty lines are none. */
function parseCsv(csv: string): string[][] {
  const text = csv.replace(/^\uFEFF/, '')
  const separator = /^[^\n,]*;/.test(text) ? ';' : ','
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let isQuoted = false
  const endCell = (): void => {
    row.push(cell)
    cell = ''
  }
  const endRow = (): void => {
    endCell()
    if (row.some((each) => each.trim() !== '')) rows.push(row)
    row = []
  }
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!
    if (isQuoted) {
      if (sign !== '"') cell += sign
      else if (text[at + 1] === '"') cell += text[++at]
      else isQuoted = false
    } else if (sign === '"') isQuoted = true
    else if (sign === separator) endCell()
    else if (sign === '\n') endRow()
    else if (sign !== '\r') cell += sign
  }
  endRow()
  return rows
}

const wrong = (message: string): GatewayError => new GatewayError('invalid_parameter', message, { param: 'csv' })
