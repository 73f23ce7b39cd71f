/**
 * `npm run bench`: the gateway beside a bare Node proxy on the same machine in the same run (R123). Ends with 1 when a
 * goal of bench/goals.ts is missed, a reply was wrong or the parity predicate does not hold, and with 2 on a fault.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CODEC_FULL, CODEC_QUICK, measureCodecs } from './codec-cost.ts'
import { codecPoints, codecTables } from './codec-report.ts'
import { INSPECT_OPTION, measureMemory, MEMORY_PART, memoryText, type MemoryReport } from './memory.ts'
import { checkParity, type ParityReport } from './parity.ts'
import { DEFAULT_PARTS, FULL, PARTS, QUICK, runPoint, type Outcome, type Pace } from './parts.ts'
import {
  figureTable,
  goalTable,
  judge,
  machineFacts,
  parityTable,
  reportPoint,
  writeReadme,
  type PointReport,
  type Report,
} from './report.ts'
import { pinned, Subjects } from './subjects.ts'

const USAGE = `usage: npm run bench -- [--only b1,b3,b5,b8,b9,b10,memory] [--quick] [--baseline-only] [--json FILE] [--write] [--profile FOLDER]
  --only           parts to run, comma separated; b8 and memory run only when asked for
  --quick          one short round: for a look, not for the record
  --baseline-only  without the gateway
  --json FILE      everything measured
  --write          put the tables into bench/README.md
  --profile FOLDER the gateway writes V8 CPU profiles there when it ends (its figures then cost more)`

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: DEFAULT_PARTS.join(',') },
    quick: { type: 'boolean', default: false },
    'baseline-only': { type: 'boolean', default: false },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Above this the generator's own core decides the latencies. */
const OPEN_RATE_MAX = 8000

/** Requests per second at 32 connections, halved: the load of part B-3's second point. */
async function halfOfSaturation(subjects: Subjects, points: readonly PointReport[], pace: Pace): Promise<number> {
  const seen = points.find((point) => point.part === 'B-1' && point.point === 'c=32')
  const known = (seen?.sides.gateway ?? seen?.sides.bare)?.perSecond
  if (known !== undefined) return Math.min(OPEN_RATE_MAX, Math.round(known / 2))
  const payer = await subjects.pay('saturation')
  const [, point] = await PARTS['b1']!(pace, async () => 0)
  const { sides } = await runPoint(subjects, point!, { ...pace, rounds: 1 }, payer)
  return Math.min(OPEN_RATE_MAX, Math.round((sides.gateway ?? sides.bare)!.perSecond / 2))
}

/** Both subjects are compiled by then: what is measured is the code and not its compilation. */
const WARM_UP_MS = 8_000
/** More than are measured: at their rate an event's code would take half a minute to be compiled. */
const WARM_UP_STREAMS = 500

async function warmUp(subjects: Subjects, pace: Pace): Promise<void> {
  const payer = await subjects.pay('warm-up')
  const [, unary] = await PARTS['b1']!(pace, async () => 0)
  const [stream] = await PARTS['b5']!(pace, async () => 0)
  for (const point of [unary!, stream!]) {
    const subjectsOnly = point.subjects.filter((name) => name !== 'direct')
    const connections = point.run.stream ? WARM_UP_STREAMS : point.run.connections
    const run = { ...point.run, connections, windowMs: options.quick ? point.run.windowMs : WARM_UP_MS }
    await runPoint(subjects, { ...point, run, subjects: subjectsOnly }, { ...pace, rounds: 1 }, payer)
  }
}

async function runPart(
  subjects: Subjects,
  part: string,
  pace: Pace,
  points: PointReport[],
): Promise<{ parity: ParityReport | undefined; faults: string[] }> {
  const makePoints = PARTS[part]
  if (!makePoints) throw new Error(`unknown part ${part}; there are ${Object.keys(PARTS).join(', ')}`)
  const outcomes: Outcome[] = []
  const faults: string[] = []
  const planned = await makePoints(pace, () => halfOfSaturation(subjects, points, pace))
  const payer = await subjects.pay(part)
  for (const point of planned) {
    const outcome = await runPoint(subjects, point, pace, payer)
    outcomes.push(outcome)
    const report = reportPoint(outcome)
    points.push(report)
    say(`${point.part} ${point.name}: ${JSON.stringify(roundAll(report.figures))}`)
    for (const [reason, count] of Object.entries(outcome.failures)) {
      faults.push(`${point.part} ${point.name}: ${count} x ${reason}`)
    }
    if (outcome.brokenBodies > 0)
      faults.push(`${point.part} ${point.name}: ${outcome.brokenBodies} bodies arrived broken`)
  }
  if (!subjects.gateway || !payer) return { parity: undefined, faults }
  const parity = await checkParity(subjects.gateway, planned[0]!.part, payer, outcomes)
  if (!parity.holds) faults.push(`${parity.part}: the parity predicate does not hold`)
  return { parity, faults }
}

function roundAll(figures: PointReport['figures']): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value * 100) / 100]))
}

function print(report: Report): void {
  console.log(
    Object.entries(report.machine)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  )
  const loaded = report.points.filter(({ sides }) => Object.keys(sides).length > 0)
  if (loaded.length > 0) console.log(`\n${figureTable(loaded)}`)
  if (report.goals.length > 0) console.log(`\n${goalTable(report.goals)}`)
  if (report.parity.length > 0) console.log(`\n${parityTable(report.parity)}`)
  if (report.codecs) console.log(`\n${codecTables(report.codecs)}`)
  if (report.memory) console.log(`\n${memoryText(report.memory)}`)
  for (const fault of report.void) console.log(`VOID ${fault}`)
}

/** The part that needs no gateway: the codecs in this process. */
const CODEC_PART = 'b10'

interface Measured {
  readonly parity: ParityReport[]
  readonly faults: string[]
  memory?: MemoryReport
}

/** The parts that put load on the gateway. Adds to `points`. */
async function runLoad(parts: readonly string[], pace: Pace, points: PointReport[]): Promise<Measured> {
  const measured: Measured = { parity: [], faults: [] }
  if (parts.length === 0) return measured
  const nodeOptions = [
    ...(options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []),
    ...(parts.includes(MEMORY_PART) ? [INSPECT_OPTION] : []),
  ]
  const subjects = await Subjects.start(!options['baseline-only'], nodeOptions.join(' '))
  try {
    if (!options.quick) await warmUp(subjects, pace)
    for (const part of parts) {
      if (part === MEMORY_PART) {
        measured.memory = await measureMemory(subjects, say)
        continue
      }
      const outcome = await runPart(subjects, part, pace, points)
      measured.faults.push(...outcome.faults)
      if (outcome.parity) measured.parity.push(outcome.parity)
    }
  } finally {
    await subjects.stop()
  }
  return measured
}

async function main(): Promise<number> {
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  const machine = machineFacts(pinned)
  const parts = options.only.split(',').map((part) => part.trim())
  // Before there are other processes of ours.
  const codecs = parts.includes(CODEC_PART) ? await measureCodecs(options.quick ? CODEC_QUICK : CODEC_FULL) : null
  const points: PointReport[] = codecs ? codecPoints(codecs) : []
  const measured = await runLoad(
    parts.filter((part) => part !== CODEC_PART),
    options.quick ? QUICK : FULL,
    points,
  )
  const { parity, faults, memory } = measured
  const report: Report = {
    machine,
    points,
    goals: judge(points),
    parity,
    void: faults,
    ...(codecs ? { codecs } : {}),
    ...(memory ? { memory } : {}),
  }
  print(report)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  if (options.write) writeReadme(report)
  return faults.length > 0 || memory?.flat === false || report.goals.some((goal) => !goal.met) ? 1 : 0
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return 2
})
