import type { AuditEntry } from '#observe/audit-commands.ts'
import type { Actor, Answer, Call, Handler } from './call.ts'

type Facts = Readonly<Record<string, unknown>>

/** What of an answer is the thing that was changed, and whose it is. */
interface Subject {
  /** Before the change, by the route that reads it; absent: there was nothing. */
  readonly read?: Handler<never>
  /** The thing itself in an answer, without a secret. */
  of(body: Facts): Facts
  target(thing: Facts, call: Call): string
  account(thing: Facts, call: Call): string | null
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Members of a key that move by themselves; they are no settings. */
const COUNTERS = /^(?:byok_)?usage|^limit_remaining$|^updated_at$/

/** An API key; its plaintext stands beside `data` and is never looked at. */
export const keySubject = (read?: Handler<never>): Subject => ({
  ...(read ? { read } : {}),
  of: (body) =>
    Object.fromEntries(Object.entries((body['data'] ?? {}) as Facts).filter(([name]) => !COUNTERS.test(name))),
  target: (thing, call) => textOf(thing['hash']) ?? call.params['hash'] ?? '',
  account: (thing) => textOf(thing['workspace_id']),
})

/** Money moves without anybody's order; the ledger has it. */
const MONEY = new Set(['balance', 'held', 'available'])

export const accountSubject = (read?: Handler<never>): Subject => ({
  ...(read ? { read } : {}),
  of: (body) => Object.fromEntries(Object.entries(body).filter(([name]) => !MONEY.has(name))),
  target: (thing, call) => call.params['id'] ?? textOf(thing['id']) ?? '',
  account: (thing, call) => call.params['id'] ?? textOf(thing['id']),
})

/** What an account says of keeping contents. */
export const contentSubject = (read: Handler<never>): Subject => ({
  read,
  of: (body) => body,
  target: (thing) => textOf(thing['account_id']) ?? '',
  account: (thing) => textOf(thing['account_id']),
})

/** An entry of the ledger: who gave it is in both books. */
export const creditSubject: Subject = {
  of: (body) => body,
  target: (_, call) => call.params['id'] ?? '',
  account: (_, call) => call.params['id'] ?? null,
}

/** Members that open something; no log holds them. */
const SECRETS: ReadonlySet<string> = new Set(['code', 'key', 'webhook_secret', 'url'])

const withoutSecrets = (thing: Facts): Facts =>
  Object.fromEntries(Object.entries(thing).filter(([name]) => !SECRETS.has(name) && !SUMS.test(name)))

/** Members of a budget that move with the requests. */
const SUMS = /^(?:spent|remaining|reset_at)$/

/** Something with an id of its own: a budget, a route, a payment. `read` gives it as it was. */
export const thingSubject = (read?: Handler<never>): Subject => ({
  ...(read ? { read } : {}),
  of: (body) => withoutSecrets(body),
  target: (thing, call) => call.params['id'] ?? textOf(thing['id']) ?? textOf(thing['voucher']) ?? '',
  account: (thing, call) => textOf(thing['account_id']) ?? accountOf(call),
})

/** Several things made at once. */
export const listSubject: Subject = {
  of: (body) => ({ data: (body['data'] as readonly Facts[]).map(withoutSecrets) }),
  target: (thing) => (thing['data'] as readonly Facts[]).map(({ id }) => textOf(id) ?? '').join(' '),
  account: () => null,
}

/** What an account has once: how it is charged, where its alerts go. */
export const settingSubject = (read?: Handler<never>): Subject => ({
  ...(read ? { read } : {}),
  of: (body) => withoutSecrets(body),
  target: (_, call) => accountOf(call) ?? '',
  account: (_, call) => accountOf(call),
})

/** A user's leave for an application: the code itself opens an account. */
export const codeSubject: Subject = {
  of: (body) => ({ app_id: (body['data'] as Facts)['app_id'] }),
  target: (thing) => String(thing['app_id']),
  account: (_, call) => accountOf(call),
}

/** The key that an application got for such a code. */
export const exchangedSubject: Subject = {
  of: (body) => ({ user_id: body['user_id'] }),
  target: (thing) => textOf(thing['user_id']) ?? '',
  account: (thing) => textOf(thing['user_id']),
}

/** Whose it is: the caller's, or whom the operator names. */
const accountOf = ({ actor, query }: Call): string | null =>
  actor.kind === 'key' ? actor.caller.account.id : (query['account_id'] ?? null)

/**
 * A handler whose every success is written into the audit log: who, when, what, before and after (R17). A log that cannot be
 * written is the operator's to hear of; the change was made, and its answer may hold the only plaintext of a key.
 */
export function audited<A extends Actor>(action: string, subject: Subject, handle: Handler<A>): Handler<A> {
  return async (call) => {
    const before = subject.read ? subject.of((await subject.read(call as never)).body as Facts) : null
    const answer = await handle(call)
    const entry = entryOf(call, action, subject, before, answer)
    try {
      await call.deps.audit.append(entry)
    } catch (err) {
      const facts = { requestId: call.requestId, code: 'store_unavailable', internal: `no audit entry: ${action}`, err }
      call.deps.log?.error(facts, 'a change could not be written into the audit log')
    }
    return answer
  }
}

function entryOf(call: Call, action: string, subject: Subject, before: Facts | null, answer: Answer): AuditEntry {
  const isRemoval = action.endsWith('.delete')
  const after = isRemoval ? null : subject.of(answer.body as Facts)
  const thing = after ?? before ?? {}
  return {
    atMs: call.nowMs,
    actor: actorName(call.actor),
    action,
    accountId: subject.account(thing, call),
    targetId: subject.target(thing, call),
    before: before && JSON.stringify(before),
    after: after && JSON.stringify(after),
    requestId: call.requestId,
  }
}

/** A person by the e-mail address, as the ledger does; a key by its id: its name may change. */
export function actorName(actor: Actor): string {
  if (actor.kind !== 'nobody' && actor.session) return actor.session.email
  if (actor.kind === 'key') return actor.caller.key?.id ?? 'local'
  return actor.kind
}
