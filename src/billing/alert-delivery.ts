import { createHmac } from 'node:crypto'
import type { SendMail } from '#outbound/mail.ts'
import type { Outbound } from '#outbound/outbound.ts'
import type { AlertDeliveryTable, AlertTable } from '#store/billing-schema.ts'
import type { Store } from '#store/store.ts'

/** A first attempt and three more (R98), with these pauses between them. */
export const RETRY_PAUSES_MS = [5_000, 30_000, 180_000] as const
export const ATTEMPTS_MAX = RETRY_PAUSES_MS.length + 1
/** Deliveries of one round. */
export const DELIVERIES_PER_ROUND_MAX = 50
export const WEBHOOK_MS_MAX = 10_000
/** A node that claimed a delivery and died is followed by another one after this. */
export const CLAIM_MS = 60_000
const ERROR_CHARACTERS_MAX = 200

export interface AlertDelivery {
  /** Sends what is due; gives how many were sent. `secretFor` names the secret of an account, or of the operator (null). */
  deliverDue(secretFor: (accountId: string | null) => Promise<string>): Promise<number>
}

/** Sends alerts by webhook and mail, each by one node at a time, at most ATTEMPTS_MAX times. */
export function createAlertDelivery(
  store: Store,
  outbound: Pick<Outbound, 'post'>,
  sendMail: SendMail,
  now: () => number,
): AlertDelivery {
  return {
    async deliverDue(secretFor) {
      const rows = await store.read
        .selectFrom('alert_deliveries as d')
        .innerJoin('alerts as a', 'a.id', 'd.alert_id')
        .selectAll('d')
        .select(['a.account_id', 'a.kind', 'a.payload'])
        .where('d.state', '=', 'waiting')
        .where('d.next_ms', '<=', now())
        .orderBy('d.next_ms')
        .limit(DELIVERIES_PER_ROUND_MAX)
        .execute()
      const sent = await Promise.all(
        rows.map(async (row) => {
          const nowMs = now()
          const claim = { id: row.id, seenMs: row.next_ms, untilMs: nowMs + CLAIM_MS, nowMs }
          if (!(await store.execute('claimDelivery', claim))) return false
          const error = await send(row, outbound, sendMail, secretFor, nowMs)
          await store.execute('finishDelivery', after(row, error, now()))
          return error === null
        }),
      )
      return sent.filter(Boolean).length
    },
  }
}

type Waiting = AlertDeliveryTable & Pick<AlertTable, 'account_id' | 'kind' | 'payload'>

/** Null when it was taken, else why not. */
async function send(
  row: Waiting,
  outbound: Pick<Outbound, 'post'>,
  sendMail: SendMail,
  secretFor: (accountId: string | null) => Promise<string>,
  nowMs: number,
): Promise<string | null> {
  if (row.sink === 'email') {
    try {
      await sendMail({ to: row.address, subject: `Trivium: ${row.kind}`, text: textOf(row.payload) })
      return null
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause)
    }
  }
  const secret = await secretFor(row.signer_id ?? row.account_id)
  const result = await outbound.post(row.address, {
    body: row.payload,
    headers: { 'content-type': 'application/json', ...signatureOf(row.alert_id, row.payload, secret, nowMs) },
    signal: AbortSignal.timeout(WEBHOOK_MS_MAX),
  })
  if (result.kind !== 'answered') return 'reason' in result ? result.reason : result.kind
  return result.status >= 200 && result.status < 300 ? null : `it answered ${result.status}`
}

/** The time is signed with the body, so that a receiver can refuse an old copy; the id is the same in every attempt. */
export function signatureOf(alertId: string, body: string, secret: string, nowMs: number): Record<string, string> {
  const seconds = Math.floor(nowMs / 1000)
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return { 'x-trivium-event': alertId, 'x-trivium-signature': `t=${seconds},v1=${digest}` }
}

function after(row: Waiting, error: string | null, nowMs: number) {
  const attempts = row.attempts + 1
  const state = error === null ? 'sent' : attempts >= ATTEMPTS_MAX ? 'failed' : 'waiting'
  const nextMs = nowMs + (RETRY_PAUSES_MS[attempts - 1] ?? 0)
  const told = error === null ? null : error.slice(0, ERROR_CHARACTERS_MAX)
  return { id: row.id, state, attempts, next_ms: nextMs, error: told, updated_ms: nowMs } as const
}

const textOf = (payload: string): string =>
  Object.entries(JSON.parse(payload) as Record<string, unknown>)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join('\n')
