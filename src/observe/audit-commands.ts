import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'

/** Who changed what of an account or a key (R17). `before` and `after` are JSON without a secret. */
export interface AuditEntry {
  readonly atMs: number
  readonly actor: string
  readonly action: string
  readonly accountId: string | null
  readonly targetId: string
  readonly before: string | null
  readonly after: string | null
  readonly requestId: string | null
}

const insertAudit = statement<keyof AuditEntry>()((db, param) =>
  db.insertInto('audit_entries').values({
    at_ms: param('atMs'),
    actor: param('actor'),
    action: param('action'),
    account_id: param('accountId'),
    target_id: param('targetId'),
    before: param('before'),
    after: param('after'),
    request_id: param('requestId'),
  }),
)

/** Adds one entry; nothing changes or removes it. */
export const appendAudit: Command<AuditEntry, null> = {
  *work(entry) {
    yield* run(insertAudit, { ...entry })
    return null
  },
  accounts: () => [],
  repeatable: false,
}
