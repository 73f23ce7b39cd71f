/** Part B-10's outcome: points for the goals, and a table of four clients by five upstreams for each kind of work. */
import { type Cost, type PairCost, type Work, WORKS } from './codec-cost.ts'
import { CLIENTS } from './codec-requests.ts'
import { UPSTREAMS } from './codec-streams.ts'
import type { Figure } from './goals.ts'
import { median } from '#test/quantiles.ts'
import type { PointReport } from './report.ts'
import { digits, table } from './table.ts'

const US: Readonly<Record<Work, Figure>> = {
  text: 'textEventUs',
  arguments: 'argumentsEventUs',
  small: 'smallRequestUs',
  agent: 'agentRequestUs',
}
const ROUND_TRIPS: Readonly<Record<Work, Figure>> = {
  text: 'textEventRoundTrips',
  arguments: 'argumentsEventRoundTrips',
  small: 'smallRequestRoundTrips',
  agent: 'agentRequestRoundTrips',
}

type Figures = PointReport['figures']

/** One point per pair, and `all` for what they say together. */
export function codecPoints(pairs: readonly PairCost[]): PointReport[] {
  const points = pairs.map(({ client, upstream, costs }) => {
    const figures = WORKS.flatMap((work) => [
      [US[work], costs[work].us],
      [ROUND_TRIPS[work], costs[work].roundTrips],
    ])
    return point(`${client} from ${upstream}`, Object.fromEntries(figures) as Figures)
  })
  return [...points, point('all', spread(pairs))]
}

function point(name: string, figures: Figures): PointReport {
  return { part: 'B-10', point: name, title: `codecs: ${name}`, unit: 'event', sides: {}, figures, failures: {} }
}

/** How far the dearest pair is from the others, and translating from passing through. */
function spread(pairs: readonly PairCost[]): Figures {
  const usOf = (some: readonly PairCost[], work: Work): number[] => some.map(({ costs }) => costs[work].us)
  const dearest = (work: Work): number => Math.max(...usOf(pairs, work)) / median(usOf(pairs, work))
  const same = pairs.filter(({ client, upstream }) => client === upstream)
  const crossed = pairs.filter(({ client, upstream }) => client !== upstream)
  return {
    dearestTextEvent: dearest('text'),
    dearestArgumentsEvent: dearest('arguments'),
    translatedRatio: median(usOf(crossed, 'text')) / median(usOf(same, 'text')),
  }
}

/** The tables for the terminal and for bench/README.md. */
export function codecTables(pairs: readonly PairCost[]): string {
  return [
    'B-10, CPU us per event of a stream: text / tool arguments.',
    crossTable(pairs, ({ text, arguments: pieces }) => `${digits(text.us)} / ${digits(pieces.us)}`),
    "The same in JSON round trips of the upstream's event.",
    crossTable(pairs, ({ text, arguments: pieces }) => `${digits(text.roundTrips)} / ${digits(pieces.roundTrips)}`),
    'Bytes of the heap allocated per event: text / tool arguments.',
    crossTable(pairs, ({ text, arguments: pieces }) => `${text.heapBytes} / ${pieces.heapBytes}`),
    'B-10, CPU us per request: small / 100 KB with twenty tools.',
    crossTable(pairs, ({ small, agent }) => `${digits(small.us)} / ${digits(agent.us)}`),
    "The same in JSON round trips of the client's request.",
    crossTable(pairs, ({ small, agent }) => `${digits(small.roundTrips)} / ${digits(agent.roundTrips)}`),
    `Rounds differ by ${digits(100 * median(pairs.flatMap(({ costs }) => WORKS.map((work) => width(costs[work])))))} % of their median (the median over all cells, largest less smallest).`,
  ].join('\n\n')
}

const width = ({ us, usMin, usMax }: Cost): number => (usMax - usMin) / us

/** Clients down, upstreams across. */
function crossTable(pairs: readonly PairCost[], cell: (costs: PairCost['costs']) => string): string {
  const rows = CLIENTS.map((client) => [
    client,
    ...UPSTREAMS.map((upstream) => {
      const pair = pairs.find((each) => each.client === client && each.upstream === upstream)
      return pair ? cell(pair.costs) : '–'
    }),
  ])
  return table([['client \\ upstream', ...UPSTREAMS], ...rows])
}
