/** The writes of kept contents, as they run inside the store's transactions. They touch neither accounts nor money. */
import type { Command } from '#store/command.ts'
import type { RequestContentTable } from '#store/schema.ts'
import { run, statement } from '#store/statement.ts'

/** Rows that one command deletes: each may be megabytes, and settlements wait behind it. */
export const CONTENTS_PER_COMMAND_MAX = 20

const insertContent = statement<keyof RequestContentTable>()((db, param) =>
  db
    .insertInto('request_contents')
    .values({
      request_id: param('request_id'),
      account_id: param('account_id'),
      key_id: param('key_id'),
      mode: param('mode'),
      created_ms: param('created_ms'),
      expires_ms: param('expires_ms'),
      request_bytes: param('request_bytes'),
      response_bytes: param('response_bytes'),
      request_cut: param('request_cut'),
      response_cut: param('response_cut'),
      request_digest: param('request_digest'),
      response_digest: param('response_digest'),
      sealed: param('sealed'),
    })
    .onConflict((conflict) => conflict.doNothing()),
)

const deleteExpired = statement<'now'>()((db, param) =>
  db
    .deleteFrom('request_contents')
    .where('request_id', 'in', (from) =>
      from
        .selectFrom('request_contents')
        .select('request_id')
        .where('expires_ms', '<=', param('now'))
        .orderBy('expires_ms')
        .limit(CONTENTS_PER_COMMAND_MAX),
    ),
)

const deleteOne = statement<'account' | 'request'>()((db, param) =>
  db
    .deleteFrom('request_contents')
    .where('request_id', '=', param('request'))
    .where('account_id', '=', param('account')),
)

const deleteOfKey = statement<'account' | 'key'>()((db, param) =>
  db
    .deleteFrom('request_contents')
    .where('request_id', 'in', (from) =>
      from
        .selectFrom('request_contents')
        .select('request_id')
        .where('account_id', '=', param('account'))
        .where('key_id', '=', param('key'))
        .limit(CONTENTS_PER_COMMAND_MAX),
    ),
)

const deleteOfAccount = statement<'account'>()((db, param) =>
  db
    .deleteFrom('request_contents')
    .where('request_id', 'in', (from) =>
      from
        .selectFrom('request_contents')
        .select('request_id')
        .where('account_id', '=', param('account'))
        .limit(CONTENTS_PER_COMMAND_MAX),
    ),
)

/** Writes one; a request that has its content keeps it. */
export const saveContent: Command<RequestContentTable, void> = {
  *work(row) {
    yield* run(insertContent, { ...row })
  },
  accounts: () => [],
  repeatable: true,
}

/** Of one request, of one key, or of the whole account. */
export interface ContentChoice {
  readonly accountId: string
  readonly requestId?: string | undefined
  readonly keyId?: string | undefined
}

/** Deletes at most CONTENTS_PER_COMMAND_MAX and tells how many. */
export const removeContents: Command<ContentChoice, number> = {
  *work({ accountId: account, requestId: request, keyId: key }) {
    if (request !== undefined) return (yield* run(deleteOne, { account, request })).changes
    if (key !== undefined) return (yield* run(deleteOfKey, { account, key })).changes
    return (yield* run(deleteOfAccount, { account })).changes
  },
  accounts: () => [],
  repeatable: true,
}

/** Deletes at most CONTENTS_PER_COMMAND_MAX expired ones and tells how many. */
export const sweepContents: Command<{ nowMs: number }, number> = {
  *work({ nowMs: now }) {
    return (yield* run(deleteExpired, { now })).changes
  },
  accounts: () => [],
  repeatable: true,
}
