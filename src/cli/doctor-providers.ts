import { formatUsd } from '#base/money.ts'
import { buildCatalog } from '#catalog/catalog.ts'
import type { Backend } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import { fetchCredit, tellsCredit } from '#providers/fetch-credit.ts'
import { fetchModelList } from '#providers/fetch-model-list.ts'
import { ANY_SIMULATOR_URL } from './catalog.ts'
import type { Finding } from './doctor-checks.ts'

/** One provider has to answer within this, so that a doctor is done while somebody waits. */
export const PROVIDER_WAIT_MS = 10_000

/** Beyond it signatures and tokens of clouds are refused, and periods begin at the wrong time. */
export const CLOCK_SKEW_MS_MAX = 30_000

/**
 * Asks every enabled backend for its model list, all at once: it answers, and it takes the key; what time it is there; and, where its
 * provider tells, what credit is left. What has no key is named by the check of the backends, what has no list is not asked
 * (R109).
 */
export async function checkProviders(
  settings: Settings,
  waitMs = PROVIDER_WAIT_MS,
): Promise<{ providers: Finding; credits: Finding; clock: Finding }> {
  const { backends } = buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() })
  const asked = [...backends.values()].filter(isAsked)
  const skews: number[] = []
  const onDate = (date: string): void => {
    // A date has whole seconds: half of one is its mean error.
    const skewMs = Date.parse(date) + 500 - Date.now()
    if (!Number.isNaN(skewMs)) skews.push(skewMs)
  }
  const answers = await Promise.all(asked.map((backend) => ask(backend, waitMs, onDate)))
  const refused = new Set(asked.filter((_, at) => answers[at] !== null))
  const telling = asked.filter((backend) => tellsCredit(backend) && !refused.has(backend))
  const poor = await Promise.all(telling.map((backend) => askCredit(backend, waitMs)))
  const found = (of: readonly unknown[], problems: readonly (string | null)[], what: string): Finding => {
    const told = problems.filter((problem) => problem !== null)
    const detail = `${of.length - told.length} of ${of.length} ${what}`
    const status = told.length > 0 ? 'failed' : of.length > 0 ? 'ok' : 'skipped'
    return { failed: told.length > 0, status, detail, problems: told }
  }
  return {
    providers: found(asked, answers, 'answer'),
    credits: found(telling, poor, 'have credit'),
    clock: clockFinding(skews),
  }
}

/** This machine against the middle one of all upstreams: one of them may be wrong, most of them are not. */
function clockFinding(skews: readonly number[]): Finding {
  if (skews.length === 0) return { failed: false, status: 'skipped', detail: 'no upstream told the time', problems: [] }
  const middleMs = skews.toSorted((a, b) => a - b)[skews.length >> 1]!
  const detail = `${Math.round(Math.abs(middleMs) / 1000)} s ${middleMs > 0 ? 'behind' : 'ahead of'} the upstreams`
  if (Math.abs(middleMs) <= CLOCK_SKEW_MS_MAX) return { failed: false, status: 'ok', detail, problems: [] }
  const problem = `the clock of this machine is ${detail}; is its time kept (NTP)?`
  return { failed: true, status: 'failed', detail, problems: [problem] }
}

async function askCredit(backend: Backend, waitMs: number): Promise<string | null> {
  try {
    const { leftNano, currency } = await fetchCredit(backend, waitMs)
    return leftNano === null || leftNano > 0n
      ? null
      : `${backend.id}: no credit is left (${formatUsd(leftNano)} ${currency})`
  } catch (thrown) {
    return (thrown as Error).message
  }
}

function isAsked({ enabled, type, auth, credentials, aws, access, cloud }: Backend): boolean {
  const hasNoList = cloud?.kind === 'vertex' || (cloud?.kind === 'azure' && cloud.isModelInference === true)
  if (!enabled || type === 'simulator' || hasNoList) return false
  const hasKey = credentials.length > 0 || aws !== null || access !== undefined
  return auth === 'none' || hasKey
}

/** One line that tells the fault and what to do; null when there is none. */
async function ask(backend: Backend, waitMs: number, onDate: (date: string) => void): Promise<string | null> {
  try {
    await fetchModelList(backend, { pageMs: waitMs, onDate })
    return null
  } catch (thrown) {
    const { message } = thrown as Error
    const status = /status (\d{3})$/.exec(message)?.[1]
    const hint =
      HINTS[status ?? ''] ?? (status === undefined ? 'is its api_url right, and can it be reached from here?' : '')
    const source = backend.credentialSource ?? `backends.${backend.id}.api_key`
    return hint === '' ? message : `${message}; ${hint.replace('%', source)}`
  }
}

const HINTS: Readonly<Record<string, string>> = {
  401: 'the provider refuses the key from %',
  403: 'the key from % may not do this',
  404: 'there is no model list at its api_url',
  429: 'the provider asks for patience; try again later',
}
