// Writes docs/conformance.md from what the conformance judge measured:
//   node scripts/conformance.mjs default=a.json utf8=b.json random=c.json [--output FILE]
// Each file is written by the judge's option --json. The page has no date, no path and no text of any recording, so that the
// same measurement is the same page.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { REASONS } from './conformance-reasons.mjs'

const PAGE = fileURLToPath(new URL('../docs/conformance.md', import.meta.url))
const CLIENTS = ['chat', 'responses', 'messages', 'gemini']
const UPSTREAMS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini', 'bedrock-converse']
const PARTS = ['answers', 'requests']
const KINDS = {
  limit: 'Limits of the target',
  choice: 'Choices of the gateway',
  recording: 'Differences of the recording',
}
const UNEXPLAINED = 'UNEXPLAINED'

/** The page for these runs: `{name, report}` each, the first of which fills the tables. */
export function renderPage(runs, reasons = REASONS) {
  const [{ report }] = runs
  const misses = collectMisses(runs, reasons)
  return `${[
    '# Conformance',
    'Written by `scripts/conformance.mjs` from the measurements of a black-box judge: every recorded answer of a provider is asked for through every client protocol, and every recorded request of a client is sent to every upstream protocol. Not edited by hand.',
    'A cell is `checks that hold / exchanges without any miss`, in per cent and rounded down. Same-protocol cells measure the passthrough. [How translation works](protocols/README.md) tells what is lost on purpose.',
    '## Totals',
    totals(runs),
    '## Answers',
    `${count(report, 'answers')} recorded exchanges per row, read by a client of the column.`,
    matrix(report, 'answers'),
    '## Requests',
    'Recorded requests of the client protocol of the column, as the upstream protocol of the row receives them.',
    matrix(report, 'requests'),
    '## Misses',
    ...missSections(misses, runs),
  ].join('\n\n')}\n`
}

/** How many exchanges each row of a part has, smallest and largest. */
function count(report, part) {
  const counts = report.cells.filter((cell) => cell.part === part).map(({ exchanges }) => exchanges)
  if (counts.length === 0) return 'No'
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return least === most ? String(least) : `${least} to ${most}`
}

function totals(runs) {
  const rows = runs.map(({ name, report }) => [
    name,
    String(report.exchanges),
    String(report.calls),
    percent(report.checks.pass, report.checks.pass + report.checks.fail, 2),
    String(report.checks.fail),
    percent(report.clean.pass, report.clean.of, 2),
  ])
  return table(['chunking', 'exchanges', 'calls', 'checks that hold', 'checks that do not', 'clean'], rows)
}

function matrix(report, part) {
  const rows = UPSTREAMS.map((upstream) => [
    upstream,
    ...CLIENTS.map((client) =>
      cellOf(report.cells.find((cell) => cell.part === part && cell.upstream === upstream && cell.client === client)),
    ),
  ])
  return table(['upstream', ...CLIENTS], rows)
}

function cellOf(cell) {
  if (!cell) return '–'
  const checks = Object.values(cell.inv)
  const pass = checks.reduce((sum, each) => sum + each.pass, 0)
  const fail = checks.reduce((sum, each) => sum + each.fail, 0)
  return `${percent(pass, pass + fail, 1)} / ${percent(cell.clean, cell.exchanges, 1)}`
}

/** Rounded down, so that only what has no miss is 100. */
function percent(part, whole, digits) {
  if (whole === 0) return '–'
  if (part === whole) return '100'
  const scale = 10 ** digits
  return (Math.floor((part / whole) * 100 * scale) / scale).toFixed(digits)
}

/** Reason -> its misses. One that several runs have is one miss. */
function collectMisses(runs, reasons) {
  const byReason = new Map()
  for (const { name, report } of runs)
    for (const failure of report.failures)
      for (const { invariant, detail } of failure.reasons) {
        const row = reasons.find((each) => explains(each, failure, invariant, detail)) ?? null
        if (!byReason.has(row)) byReason.set(row, new Map())
        const { part, client, upstream, id } = failure
        const key = [part, client, upstream, invariant, id].join('\n')
        const found = byReason.get(row)
        if (!found.has(key)) found.set(key, { part, client, upstream, invariant, id, runs: new Set() })
        found.get(key).runs.add(name)
      }
  return byReason
}

/** Whether a row of the reasons tells why this check failed. */
export function explains({ invariants, pattern, upstreams, feature }, failure, invariant, detail) {
  if (!invariants.includes(invariant) || !pattern.test(detail)) return false
  if (upstreams !== undefined && !upstreams.includes(failure.upstream)) return false
  return feature === undefined || failure.features.includes(feature)
}

function missSections(misses, runs) {
  const unexplained = misses.get(null)
  const sections = unexplained
    ? [
        `### ${UNEXPLAINED}`,
        `**${unexplained.size === 1 ? '1 miss has' : `${unexplained.size} misses have`} no reason in \`scripts/conformance-reasons.mjs\`.** Each is a fault until somebody has told why not.`,
        ...details(unexplained, runs),
      ]
    : ['Every miss has a reason.']
  for (const [kind, title] of Object.entries(KINDS)) {
    const rows = reasonsOf(misses, kind)
    if (rows.length === 0) continue
    sections.push(`### ${title}`)
    for (const row of rows) sections.push(row.reason, ...details(misses.get(row), runs))
  }
  return sections
}

/** The reasons of one kind that have misses, in the order of the most misses, then of their text. */
function reasonsOf(misses, kind) {
  return [...misses.keys()]
    .filter((row) => row?.kind === kind)
    .toSorted((left, right) => misses.get(right).size - misses.get(left).size || compare(left.reason, right.reason))
}

/** A table of pairs with their counts, and the exchanges. */
function details(found, runs) {
  const all = [...found.values()]
  const groups = Map.groupBy(all, (miss) =>
    [miss.part, miss.client, miss.upstream, miss.invariant, runNames(miss, runs)].join('\n'),
  )
  const rows = [...groups]
    .map(([key, list]) => [...key.split('\n'), String(list.length)])
    .toSorted((left, right) => rank(left) - rank(right) || compare(left.join('\n'), right.join('\n')))
    .map(([part, client, upstream, invariant, names, size]) => [
      part,
      `${client} → ${upstream}`,
      invariant,
      size,
      ...(runs.length > 1 ? [names] : []),
    ])
  const heads = ['part', 'client → upstream', 'check', 'misses', ...(runs.length > 1 ? ['chunking'] : [])]
  const ids = [...new Set(all.map(({ id }) => id))].toSorted(compare)
  return [table(heads, rows), `Exchanges:\n\n${ids.map((id) => `- \`${id}\``).join('\n')}`]
}

function runNames(miss, runs) {
  return miss.runs.size === runs.length
    ? 'all'
    : runs
        .map(({ name }) => name)
        .filter((name) => miss.runs.has(name))
        .join(', ')
}

/** The order of the tables above. */
function rank([part, client, upstream]) {
  return PARTS.indexOf(part) * 100 + UPSTREAMS.indexOf(upstream) * 10 + CLIENTS.indexOf(client)
}

/** By code units: the order may not depend on the machine's language. */
function compare(left, right) {
  return left < right ? -1 : left > right ? 1 : 0
}

/** A table as the formatter of the project writes it. */
function table(heads, rows) {
  const widths = heads.map((head, at) => Math.max(3, head.length, ...rows.map((row) => row[at].length)))
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function main(args) {
  const at = args.indexOf('--output')
  const output = at < 0 ? PAGE : args[at + 1]
  const named = at < 0 ? args : args.toSpliced(at, 2)
  if (named.length === 0 || output === undefined) {
    process.stderr.write('usage: node scripts/conformance.mjs NAME=FILE... [--output FILE]\n')
    return 2
  }
  const runs = named.map((each) => {
    const split = each.indexOf('=')
    const name = split < 0 ? 'default' : each.slice(0, split)
    return { name, report: JSON.parse(readFileSync(each.slice(split + 1), 'utf8')) }
  })
  const page = renderPage(runs)
  writeFileSync(output, page)
  if (!page.includes(`### ${UNEXPLAINED}`)) return 0
  process.stderr.write(`${output} has misses without a reason: see "${UNEXPLAINED}".\n`)
  return 1
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2))
