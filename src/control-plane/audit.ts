import { z } from 'zod'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { KeptAuditEntry } from '#observe/audit.ts'
import type { Answer, Call } from './call.ts'
import { ownAccount, type Reader } from './reader.ts'
import { queryInteger, validate } from './validate.ts'

export const AUDIT_PAGE_DEFAULT = 50
export const AUDIT_PAGE_MAX = 500

const text = z.string().min(1).optional()
const AUDIT_QUERY = z.object({
  limit: queryInteger(1, AUDIT_PAGE_MAX).default(AUDIT_PAGE_DEFAULT),
  cursor: queryInteger(1, 999_999_999).optional(),
  account_id: text,
  target_id: text,
  actor: text,
  action: text,
})

/** `GET /api/audit`: changes of accounts and keys, newest first; a management key sees its own account's (R17). */
export async function listAudit(call: Call<Reader>): Promise<Answer> {
  const query = validate(AUDIT_QUERY, call.query)
  const found = await call.deps.audit.list({
    accountId: ownAccount(call.actor) ?? query.account_id,
    targetId: query.target_id,
    actor: query.actor,
    action: query.action,
    limit: query.limit + 1,
    before: query.cursor,
  })
  const data = found.slice(0, query.limit)
  const next = found.length > query.limit ? String(data.at(-1)!.id) : null
  return { body: { data: data.map(auditObject), next_cursor: next } }
}

const auditObject = (entry: KeptAuditEntry): Record<string, unknown> => ({
  id: String(entry.id),
  at: new Date(entry.atMs).toISOString(),
  actor: entry.actor,
  action: entry.action,
  account_id: entry.accountId,
  target_id: entry.targetId,
  before: entry.before === null ? null : parseFaithfulJson(entry.before),
  after: entry.after === null ? null : parseFaithfulJson(entry.after),
  request_id: entry.requestId,
})
