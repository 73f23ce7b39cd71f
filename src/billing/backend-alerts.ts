import type { Alerts } from './alerts.ts'

/** What is known of a backend, as the gateway's health tells it. */
export interface BackendTrouble {
  readonly id: string
  readonly state: 'closed' | 'open' | 'half-open'
  readonly credentials: readonly { readonly index: number; readonly trouble: string | null }[]
}

const DAY_MS = 86_400_000

/** Tells the operator of backends that fail and of credentials that they refuse, each once a day (R98). Gives how many are new. */
export async function raiseBackendAlerts(
  alerts: Pick<Alerts, 'raiseForOperator'>,
  backends: readonly BackendTrouble[],
  nowMs: number,
): Promise<number> {
  const day = Math.floor(nowMs / DAY_MS)
  let raised = 0
  const raise = async (kind: string, mark: string, facts: Readonly<Record<string, unknown>>): Promise<void> => {
    if (await alerts.raiseForOperator(kind, `${kind}:${mark}:${day}`, facts)) raised++
  }
  for (const { id, state, credentials } of backends) {
    if (state !== 'closed') await raise('backend_open', id, { backend: id })
    for (const { index, trouble } of credentials) {
      if (trouble === 'refused')
        await raise('upstream_auth_failed', `${id}:${index}`, { backend: id, credential: index })
    }
  }
  return raised
}
