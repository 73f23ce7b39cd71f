import type { AccountStatement, Total } from '#billing/account-statements.ts'

/** A statement as a table for a spreadsheet: one line per sum, and one per model, vendor, key and system of the usage. */
export function statementCsv(statement: AccountStatement): string {
  const rows: (readonly (string | number | null)[])[] = [
    ['section', 'name', 'vendor', 'key', 'system', 'count', 'amount'],
    ['statement', statement.number, null, null, null, null, null],
    ['account', statement.account.email, null, null, null, null, null],
    ['month', statement.month, null, null, null, null, null],
    ['currency', statement.currency, null, null, null, null, null],
    ['opening_balance', null, null, null, null, null, statement.opening_balance],
    ...statement.entries.map(({ type, count, amount }) => ['entries', type, null, null, null, count, amount]),
    ['taxes', null, null, null, null, null, statement.taxes],
    ['closing_balance', null, null, null, null, null, statement.closing_balance],
    ...statement.lines.map((line) => [
      'usage',
      line.model,
      line.vendor,
      line.key,
      line.system,
      line.requests,
      line.amount,
    ]),
  ]
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')
}

const AMOUNT = /^-?\d+(\.\d+)?$/

/** A text that a spreadsheet would run as a formula is marked as text. */
function csvCell(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) && !AMOUNT.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => ESCAPES[letter]!)

const STYLE =
  'body{font:14px sans-serif;margin:2em;max-width:50em}table{border-collapse:collapse;width:100%;margin:1em 0}' +
  'td,th{border-bottom:1px solid #ccc;padding:.3em;text-align:left}td:last-child,th:last-child{text-align:right}'

/** A statement as a page to print; nothing is loaded and nothing runs. */
export function statementHtml(statement: AccountStatement): string {
  const { number, month, account, currency } = statement
  const title = number === null ? `Statement ${month} (open)` : `Statement ${number}`
  const head = [
    ['Account', `${account.email} (${account.id})`],
    ['Period (UTC)', `${statement.from} to ${statement.to}`],
    ['Opening balance', `${statement.opening_balance} ${currency}`],
    ...statement.entries.map(({ type, count, amount }) => [`${type} (${count})`, `${amount} ${currency}`]),
    ['Taxes (not computed)', `${statement.taxes} ${currency}`],
    ['Closing balance', `${statement.closing_balance} ${currency}`],
  ]
  const parts = [
    ['Usage by model', statement.usage_by_model],
    ['Usage by vendor', statement.usage_by_vendor],
    ['Usage by key', statement.usage_by_key],
    ['Usage by system', statement.usage_by_system],
  ] as const
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style>` +
    `<h1>${escape(title)}</h1>${tableOf(head)}` +
    parts.map(([name, totals]) => `<h2>${name}</h2>${tableOf(totals.map(cellsOf))}`).join('') +
    '</html>\n'
  )
}

const cellsOf = ({ name, requests, amount }: Total): string[] => [name ?? '-', String(requests), amount]

const tableOf = (rows: readonly (readonly string[])[]): string =>
  `<table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`).join('')}</table>`
