import type { RequestTable } from '#store/schema.ts'
import { AMOUNTS, COUNTS, DAY_MS, DIMENSIONS, HOUR_MS, MINUTE_MS } from './rollup-tables.ts'
import type { Amount, Count, Metric } from './rollup-tables.ts'

/** What a row may add to a sum, so that a few rows of a broken upstream do not overflow 64 bits and stop all folding. */
export const TOKENS_PER_ROW_MAX = 1_000_000_000
/** A million USD. */
export const AMOUNT_PER_ROW_NANO_MAX = 10n ** 15n
/** What a tally adds to one sum of the table. */
const AMOUNT_PER_TALLY_NANO_MAX = 10n ** 18n
/** The largest measurement that is told apart: below 100 whole, above it two leading digits. */
export const BUCKET_MAX = 10_000_000

/** Fewer tokens, or a shorter time, tell nothing of throughput. */
const MEASURED_TOKENS_MIN = 8
const MEASURED_MS_MIN = 20

/** What is looked at of a row of requests. */
export const TALLIED_COLUMNS = [
  'ts_start_ms',
  'account_id',
  'key_id',
  'system',
  'protocol',
  'model_id',
  'backend_id',
  'status',
  'latency_ms',
  'ttft_ms',
  'tokens_input',
  'tokens_cache_read',
  'tokens_cache_write',
  'tokens_cache_write_1h',
  'tokens_output',
  'tokens_reasoning',
  'list_cost_nano',
  'metered_cost_nano',
  'charged_cost_nano',
  'absorbed_cost_nano',
  'detail',
] as const satisfies readonly (keyof RequestTable)[]

export type TalliedRow = Readonly<Pick<RequestTable, (typeof TALLIED_COLUMNS)[number]>>

interface Attempt {
  readonly backend?: string | null
  readonly status?: number | null
  readonly error_code?: string | null
}

/** What is looked at of a row's detail: absent in its JSON is null in the row itself. */
interface Detail {
  readonly vendor?: string | null
  readonly key_name?: string | null
  readonly app_title?: string | null
  readonly app_referer?: string | null
  readonly user_agent?: string | null
  readonly gen_ms?: number | null
  readonly fault?: unknown
  readonly attempts?: readonly Attempt[]
}

/** The same, read. Who has the row at hand sends it along, because to read the JSON costs more than all the adding up (R123). */
export type TallyFacts = readonly [
  vendor: string,
  app: string,
  genMs: number | null,
  isStaged: boolean,
  /** Null: one, at the row's backend, without an error. */
  attempts: readonly Attempt[] | null,
]

export function tallyFactsOf(detail: Detail, backendId: string | null): TallyFacts {
  const { attempts = [], fault = null } = detail
  const [only] = attempts
  const isUsual = attempts.length === 1 && only!.backend === backendId && typeof only!.error_code !== 'string'
  return [detail.vendor ?? '', appOf(detail), detail.gen_ms ?? null, fault !== null, isUsual ? null : attempts]
}

/** The rows of one minute that are alike in every dimension. Dimensions are in the order of DIMENSIONS, `''` for none. */
interface Group {
  readonly minuteMs: number
  readonly dimensions: readonly string[]
  readonly counts: Record<Count, number>
  readonly amounts: Record<Amount, bigint>
  /** Measurements of the target by bucket; made by the first. */
  speeds: Partial<Record<Metric, Map<number, number>>> | undefined
  /** Attempts by backend: a target that failed is another one than that of the row. */
  attempts: Map<string, { up: number; down: number }> | undefined
}

/** A record of `usage_rollups`, in the order of its columns; amounts as decimals. */
export type UsageEntry = readonly (string | number)[]
/** A record of `speed_rollups`, in the order of its columns. */
export type SpeedEntry = readonly [
  grainMs: number,
  startMs: number,
  accountId: string,
  modelId: string,
  backendId: string,
  metric: Metric,
  bucket: number,
  count: number,
]

const ACCOUNT_AT = DIMENSIONS.indexOf('account_id')
const MODEL_AT = DIMENSIONS.indexOf('model_id')
const BACKEND_AT = DIMENSIONS.indexOf('backend_id')
const SEPARATOR = '\u0000'

/** Adds up rows of requests into what the rollups hold (R104, R106). Every request comes through here, so a row is read once. */
export class RowTally {
  private readonly groups = new Map<string, Group>()
  /** That of the row before: most rows of a moment are alike, and need no name. */
  private last: Group | null = null

  /** How many groups it holds: its size in memory. */
  get size(): number {
    return this.groups.size
  }

  /** Without facts its detail is read. */
  add(row: TalliedRow, facts?: TallyFacts): void {
    const [vendor, app, genMs, isStaged, attempts] =
      facts ?? tallyFactsOf(JSON.parse(row.detail) as Detail, row.backend_id)
    const group = this.groupOf(row, vendor, app)
    count(group, row)
    if (row.model_id === null || row.backend_id === null || isStaged) return
    if (row.status === 'ok') measure(group, row, genMs)
    if (attempts === null) judge(group, row.backend_id, null, null, row.status)
    else for (const { backend, status, error_code: error } of attempts) judge(group, backend, status, error, row.status)
  }

  /** What to add to `usage_rollups`: no two are of one primary key. */
  usage(): UsageEntry[] {
    const places = new Map<string, { place: (string | number)[]; counts: Group['counts']; amounts: Group['amounts'] }>()
    for (const { minuteMs, dimensions, counts, amounts } of this.groups.values()) {
      for (const grainMs of [HOUR_MS, DAY_MS]) {
        const place = [grainMs, minuteMs - (minuteMs % grainMs), ...dimensions]
        const key = place.join(SEPARATOR)
        const sums = places.get(key)
        if (sums) merge(sums, counts, amounts)
        else places.set(key, { place, counts: { ...counts }, amounts: { ...amounts } })
      }
    }
    return [...places.values()].map(({ place, counts, amounts }) => [
      ...place,
      ...COUNTS.map((name) => counts[name]),
      ...AMOUNTS.map((name) => String(least(amounts[name], AMOUNT_PER_TALLY_NANO_MAX))),
    ])
  }

  /** What to add to `speed_rollups`: no two are of one primary key. */
  speeds(): SpeedEntry[] {
    const entries = new Map<string, [...SpeedEntry]>()
    for (const group of this.groups.values()) {
      for (const [backendId, metric, bucket, times] of measurementsOf(group)) {
        for (const grainMs of [MINUTE_MS, HOUR_MS, DAY_MS]) {
          const startMs = group.minuteMs - (group.minuteMs % grainMs)
          // The account stands in the rows of days only.
          const accountId = grainMs === DAY_MS ? group.dimensions[ACCOUNT_AT]! : ''
          const modelId = group.dimensions[MODEL_AT]!
          const key = [grainMs, startMs, accountId, modelId, backendId, metric, bucket].join(SEPARATOR)
          const entry = entries.get(key)
          if (entry) entry[7] += times
          else entries.set(key, [grainMs, startMs, accountId, modelId, backendId, metric, bucket, times])
        }
      }
    }
    return [...entries.values()]
  }

  private groupOf(row: TalliedRow, vendor: string, app: string): Group {
    const minuteMs = row.ts_start_ms - (row.ts_start_ms % MINUTE_MS)
    const { account_id: account, key_id: key, system, model_id: model, backend_id: backend, protocol } = row
    const dimensions = [account ?? '', key ?? '', system ?? '', model ?? '', vendor, backend ?? '', protocol, app]
    const { last } = this
    if (last !== null && last.minuteMs === minuteMs && areSame(last.dimensions, dimensions)) return last
    const name = minuteMs + SEPARATOR + dimensions.join(SEPARATOR)
    let group = this.groups.get(name)
    if (!group) {
      group = { minuteMs, dimensions, counts: noCounts(), amounts: noAmounts(), speeds: undefined, attempts: undefined }
      this.groups.set(name, group)
    }
    return (this.last = group)
  }
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

const noCounts = (): Record<Count, number> => ({
  requests: 0,
  errors: 0,
  cancelled: 0,
  latency_count: 0,
  latency_ms: 0,
  tokens_input: 0,
  tokens_cache_read: 0,
  tokens_cache_write: 0,
  tokens_output: 0,
  tokens_reasoning: 0,
})

const noAmounts = (): Record<Amount, bigint> => ({
  list_nano: 0n,
  metered_nano: 0n,
  charged_nano: 0n,
  absorbed_nano: 0n,
})

const least = (value: bigint, bound: bigint): bigint => (value > bound ? bound : value)
const tokens = (count: number | null): number => (count === null ? 0 : Math.min(count, TOKENS_PER_ROW_MAX))
const amount = (nano: bigint | null): bigint => (nano === null ? 0n : least(nano, AMOUNT_PER_ROW_NANO_MAX))

function count({ counts, amounts }: Group, row: TalliedRow): void {
  counts.requests += 1
  if (row.status === 'ok') {
    counts.latency_count += 1
    counts.latency_ms += row.latency_ms
  } else if (row.status === 'client_cancelled') counts.cancelled += 1
  else counts.errors += 1
  counts.tokens_input += tokens(row.tokens_input)
  counts.tokens_cache_read += tokens(row.tokens_cache_read)
  counts.tokens_cache_write += tokens(row.tokens_cache_write) + tokens(row.tokens_cache_write_1h)
  counts.tokens_output += tokens(row.tokens_output)
  counts.tokens_reasoning += tokens(row.tokens_reasoning)
  amounts.list_nano += amount(row.list_cost_nano)
  amounts.metered_nano += amount(row.metered_cost_nano)
  amounts.charged_nano += amount(row.charged_cost_nano)
  amounts.absorbed_nano += amount(row.absorbed_cost_nano)
}

function merge(sums: Pick<Group, 'counts' | 'amounts'>, counts: Group['counts'], amounts: Group['amounts']): void {
  for (const name of COUNTS) sums.counts[name] += counts[name]
  for (const name of AMOUNTS) sums.amounts[name] += amounts[name]
}

function measure(group: Group, row: TalliedRow, genMs: number | null): void {
  const speeds = (group.speeds ??= {})
  mark((speeds.latency ??= new Map()), row.latency_ms)
  if (row.ttft_ms !== null) mark((speeds.ttft ??= new Map()), row.ttft_ms)
  const output = tokens(row.tokens_output)
  if (output < MEASURED_TOKENS_MIN || genMs === null || genMs < MEASURED_MS_MIN) return
  mark((speeds.throughput ??= new Map()), Math.floor((output * 10_000) / genMs))
}

function mark(histogram: Map<number, number>, value: number): void {
  const bucket = bucketOf(value)
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1)
}

/** The lower bound of a value's bucket. Below 100 the value itself, above it two leading digits: at most a tenth of the value wide. */
export function bucketOf(value: number): number {
  if (value < 100) return value
  if (value >= BUCKET_MAX) return BUCKET_MAX
  let width = 10
  while (value >= width * 100) width *= 10
  return value - (value % width)
}

/** An attempt that says something of its target: a client's mistake or leaving does not (B20), and a rate limit is no outage. */
function judge(
  group: Group,
  backend: Attempt['backend'],
  status: Attempt['status'],
  error: Attempt['error_code'],
  ended: string,
): void {
  if (typeof backend !== 'string') return
  const code = status ?? 599
  const isDown =
    typeof error === 'string' ? code >= 500 || [401, 402, 403, 408].includes(code) : ended === 'upstream_disconnect'
  const isUp = typeof error !== 'string' && ended === 'ok'
  if (!isUp && !isDown) return
  const attempts = (group.attempts ??= new Map())
  const seen = attempts.get(backend)
  if (seen) seen[isUp ? 'up' : 'down'] += 1
  else attempts.set(backend, { up: isUp ? 1 : 0, down: isDown ? 1 : 0 })
}

function* measurementsOf(group: Group): Generator<[backend: string, metric: Metric, bucket: number, times: number]> {
  for (const [metric, histogram] of Object.entries(group.speeds ?? {})) {
    for (const [bucket, times] of histogram) yield [group.dimensions[BACKEND_AT]!, metric as Metric, bucket, times]
  }
  for (const [backend, { up, down }] of group.attempts ?? []) {
    if (up > 0) yield [backend, 'up', 0, up]
    if (down > 0) yield [backend, 'down', 0, down]
  }
}

/** The application of a request (R103): what the client calls it, else the key's name, else the program that asked. */
function appOf({ app_title: title, app_referer: referer, key_name: key, user_agent: agent }: Detail): string {
  const app = title ?? referer ?? key ?? (agent ? familyOf(agent) : '')
  // As the detail holds it: no JSON of the store has that character.
  return app.includes(SEPARATOR) ? app.replaceAll(SEPARATOR, '\ufffd') : app
}

/** The first word of a user agent, without its version, which begins with a digit: `claude-cli/1.0 (x)` -> `claude-cli`. */
function familyOf(agent: string): string {
  const word = agent.split(' ', 1)[0]!
  const slash = word.search(/\/\d/)
  return slash === -1 ? word : word.slice(0, slash)
}
