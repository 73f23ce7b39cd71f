import type { Store } from '#store/store.ts'
import type { AuditEntry } from './audit-commands.ts'

export interface KeptAuditEntry extends AuditEntry {
  readonly id: number
}

export interface AuditQuery {
  readonly accountId?: string | undefined
  readonly targetId?: string | undefined
  readonly actor?: string | undefined
  readonly action?: string | undefined
  readonly limit: number
  /** Id of the last entry of the page before. */
  readonly before?: number | undefined
}

/** Who changed what of an account or a key, and when (R17). Rejects with GatewayError('store_unavailable'). */
export interface Audit {
  append(entry: AuditEntry): Promise<void>
  /** Newest first. */
  list(query: AuditQuery): Promise<readonly KeptAuditEntry[]>
}

export function createAudit(store: Store): Audit {
  return {
    async append(entry) {
      await store.execute('appendAudit', entry)
    },
    async list({ accountId, targetId, actor, action, limit, before }) {
      let rows = store.read.selectFrom('audit_entries').selectAll()
      if (accountId !== undefined) rows = rows.where('account_id', '=', accountId)
      if (targetId !== undefined) rows = rows.where('target_id', '=', targetId)
      if (actor !== undefined) rows = rows.where('actor', '=', actor)
      if (action !== undefined) rows = rows.where('action', '=', action)
      if (before !== undefined) rows = rows.where('seq', '<', before)
      const found = await rows.orderBy('seq', 'desc').limit(limit).execute()
      return found.map((row) => ({
        id: row.seq,
        atMs: row.at_ms,
        actor: row.actor,
        action: row.action,
        accountId: row.account_id,
        targetId: row.target_id,
        before: row.before,
        after: row.after,
        requestId: row.request_id,
      }))
    },
  }
}
