/** From outcomes to ratios, a verdict on each goal, and tables for the terminal and bench/README.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { PairCost } from './codec-cost.ts'
import { codecTables } from './codec-report.ts'
import { FIGURE_UNITS, GOALS, type Figure, type Goal } from './goals.ts'
import type { MemoryReport } from './memory.ts'
import type { ParityReport } from './parity.ts'
import type { Outcome, Side } from './parts.ts'
import { median } from '#test/quantiles.ts'
import { digits, table } from './table.ts'

export interface PointReport {
  readonly part: string
  readonly point: string
  readonly title: string
  readonly unit: string
  readonly sides: Outcome['sides']
  readonly figures: Partial<Record<Figure, number>>
  readonly failures: Outcome['failures']
}

export interface GoalReport {
  readonly goal: Goal
  readonly value: number
  readonly met: boolean
  readonly aimMet: boolean
}

export interface Report {
  readonly machine: Readonly<Record<string, string>>
  readonly points: readonly PointReport[]
  readonly goals: readonly GoalReport[]
  readonly parity: readonly ParityReport[]
  readonly void: readonly string[]
  /** Part B-10, all of it. */
  readonly codecs?: readonly PairCost[]
  readonly memory?: MemoryReport
}

/** The median over the rounds, in each of which the machine was about as fast for both. */
function cpuRatio(gateway: Side, bare: Side): number {
  return median(gateway.cpuUsRounds.map((cpuUs, round) => cpuUs / bare.cpuUsRounds[round]!))
}

function figuresOf(sides: Outcome['sides']): Partial<Record<Figure, number>> {
  const { direct, bare, gateway } = sides
  if (!gateway) return {}
  const added = (read: (side: Side) => number): number => read(gateway) - read(direct!)
  return {
    cpuUsGateway: gateway.cpuUs,
    rssMbGateway: gateway.rssMb,
    ...(bare ? { cpuRatio: cpuRatio(gateway, bare) } : {}),
    ...(direct
      ? {
          addedP50Ms: added((side) => side.p50Ms),
          addedP99Ms: added((side) => side.p99Ms),
          addedFirstByteP50Ms: added((side) => side.firstByteP50Ms),
          addedFirstByteP99Ms: added((side) => side.firstByteP99Ms),
          addedGapP99Ms: added((side) => side.gapP99Ms),
        }
      : {}),
  }
}

export function reportPoint(outcome: Outcome): PointReport {
  const { point, sides } = outcome
  return {
    part: point.part,
    point: point.name,
    title: point.title,
    unit: point.unit,
    sides,
    figures: figuresOf(sides),
    failures: outcome.failures,
  }
}

/** The verdict on every goal whose point was measured. */
export function judge(points: readonly PointReport[]): GoalReport[] {
  return GOALS.flatMap((goal) => {
    const point = points.find((candidate) => candidate.part === goal.part && candidate.point === goal.point)
    const value = point?.figures[goal.figure]
    return value === undefined
      ? []
      : [{ goal, value, met: value <= (goal.limit ?? Infinity), aimMet: value <= goal.aim }]
  })
}

/** More than this, and others use the cores that the bench measures on. */
const QUIET_LOAD_MAX = 0.7

/** What the figures depend on; no names of hosts. */
export function machineFacts(pinned: boolean): Record<string, string> {
  return {
    CPU: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    kernel: `${process.platform} ${release()}`,
    Node: process.version,
    'load before (1 min)': `${loadavg()[0]!.toFixed(2)}${loadavg()[0]! > QUIET_LOAD_MAX ? ': NOT QUIET, the figures are worth little' : ''}`,
    pinning: pinned ? 'subject on core 0, upstream and load generator on core 1' : 'none',
  }
}

export function figureTable(points: readonly PointReport[]): string {
  const head = [
    'part',
    'point',
    'subject',
    '/s',
    'CPU us',
    'p50 ms',
    'p99 ms',
    'TTFB p50',
    'gap p99',
    'RSS MB',
    'core 1',
  ]
  const rows = points.flatMap((point) =>
    Object.entries(point.sides).map(([subject, side]) => [
      point.part,
      point.point,
      subject,
      `${Math.round(side.perSecond)} ${point.unit}s`,
      subject === 'direct' ? '–' : digits(side.cpuUs),
      digits(side.p50Ms),
      digits(side.p99Ms),
      digits(side.firstByteP50Ms),
      digits(side.gapP99Ms),
      subject === 'direct' ? '–' : digits(side.rssMb),
      `${Math.round(side.otherCore * 100)} %`,
    ]),
  )
  return table([head, ...rows])
}

export function goalTable(goals: readonly GoalReport[]): string {
  const head = ['part', 'point', 'figure', 'value', 'limit', 'aim', 'verdict', 'from']
  const rows = goals.map(({ goal, value, met, aimMet }) => [
    goal.part,
    goal.point,
    goal.figure,
    `${digits(value)} ${FIGURE_UNITS[goal.figure]}`,
    goal.limit === undefined ? '–' : String(goal.limit),
    String(goal.aim),
    met ? (aimMet ? 'met' : 'met, short of aim') : 'MISSED',
    goal.source,
  ])
  return table([head, ...rows])
}

export function parityTable(parity: readonly ParityReport[]): string {
  const head = ['part', 'upstream', 'successes', 'ledger', 'rows', 'balance = sum', 'held', 'verdict']
  const rows = parity.map((part) => [
    part.part,
    String(part.upstreamRequests),
    String(part.successes),
    String(part.ledgerEntries),
    String(part.rows),
    part.balanceIsSum ? 'yes' : 'NO',
    part.held,
    part.holds ? 'holds' : 'BROKEN',
  ])
  return table([head, ...rows])
}

const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'

/** Puts the tables between the two marks of bench/README.md. */
export function writeReadme(report: Report): void {
  const file = join(import.meta.dirname, 'README.md')
  const text = readFileSync(file, 'utf8')
  const start = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (start < 0 || end < start) throw new Error('bench/README.md has lost its marks')
  const facts = Object.entries(report.machine).map(([name, value]) => `- ${name}: ${value}`)
  const body = [
    `Measured on ${new Date().toISOString().slice(0, 10)}.`,
    facts.join('\n'),
    figureTable(report.points),
    goalTable(report.goals),
    parityTable(report.parity),
    ...(report.codecs ? [codecTables(report.codecs)] : []),
  ].join('\n\n')
  writeFileSync(file, `${text.slice(0, start)}${BEGIN}\n\n${body}\n\n${text.slice(end)}`)
}
