import { z } from 'zod'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { KeptContent, KeptPart } from '#observe/content-log.ts'
import { actorName } from './audited.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { CONTENT_WISH, contentWishObject } from './content-wish.ts'
import { accountFor } from './keys.ts'
import type { Reader } from './reader.ts'
import { validate } from './validate.ts'

export const ACCOUNT_CONTENT = z.object({ content_log: CONTENT_WISH })

const ACCOUNT_QUERY = z.object({ account_id: z.string().min(1).optional() })
const REMOVAL_QUERY = z.object({ account_id: z.string().min(1).optional(), key_id: z.string().min(1).optional() })

/** `GET /api/v1/content-log`: what holds for keys of the account that say nothing themselves. */
export async function readContentWish(call: Call<Reader>): Promise<Answer> {
  const { account_id: wanted } = validate(ACCOUNT_QUERY, call.query)
  const accountId = accountFor(call.actor, wanted)
  const wish = await call.deps.accounts.contentLog(accountId)
  return { body: { account_id: accountId, content_log: contentWishObject(wish) } }
}

/** `PATCH` of the same: in force on the next request. */
export async function changeContentWish(call: Call<Reader>): Promise<Answer> {
  const { content_log: wish } = validate(ACCOUNT_CONTENT, call.body ?? {})
  const { account_id: wanted } = validate(ACCOUNT_QUERY, call.query)
  const accountId = accountFor(call.actor, wanted)
  await call.deps.accounts.setContentLog(accountId, wish)
  call.deps.keyRing.forget()
  return { body: { account_id: accountId, content_log: contentWishObject(wish) } }
}

/**
 * `GET /api/logs/{request_id}/content`: what the client sent and received, for its owner alone: a key reads its own requests, a
 * management key or a session those of its account, the master key those of the operator's account. Every look is in the
 * audit log before it is answered; without that there is no answer.
 */
export async function readContent(call: Call<Reader>): Promise<Answer> {
  const requestId = call.params['id']!
  return { body: contentObject(requestId, await lookInto(call, requestId)) }
}

/** A content of the caller's own, once the look at it is in the audit log. Throws GatewayError not_found, permission_denied. */
export async function lookInto(call: Call<Reader>, requestId: string): Promise<KeptContent> {
  const owner = ownerOf(call.actor)
  const content = await call.deps.contents.find(requestId, owner)
  if (!content) throw missing()
  await note(call, 'content.read', owner.accountId, requestId)
  return content
}

/** `DELETE` of the same. */
export async function removeContent(call: Call<Reader>): Promise<Answer> {
  const requestId = call.params['id']!
  const { accountId } = ownerOf(call.actor)
  if ((await call.deps.contents.remove({ accountId, requestId })) === 0) throw missing()
  await note(call, 'content.delete', accountId, requestId)
  return { body: { deleted: 1 } }
}

/** `DELETE /api/logs/content?key_id=`: all of one key, without it all of the account. */
export async function removeContents(call: Call<Reader>): Promise<Answer> {
  const { account_id: wanted, key_id: named } = validate(REMOVAL_QUERY, call.query)
  const accountId = accountFor(call.actor, wanted)
  // A key is known by its hash to whoever manages it, by its id in its rows.
  const keyId = named && ((await call.deps.keys.get(named))?.id ?? named)
  const deleted = await call.deps.contents.remove({ accountId, keyId })
  await note(call, 'content.delete', accountId, keyId ?? accountId, { contents: deleted })
  return { body: { deleted } }
}

function ownerOf(actor: KeyActor | MasterActor): { accountId: string; keyId?: string } {
  // The operator runs the gateway; what others ask of models is not his to read.
  if (actor.kind === 'master') return { accountId: OPERATOR_ACCOUNT_ID }
  const { caller, session } = actor
  if (session?.accountRole === 'member') {
    throw new GatewayError('permission_denied', 'A member of an organisation does not read what others have asked.')
  }
  const { key } = caller
  const ownOnly = key !== null && key.kind !== 'management'
  return { accountId: caller.account.id, ...(ownOnly ? { keyId: key.id } : {}) }
}

const note = (call: Call, action: string, accountId: string, targetId: string, before?: object): Promise<void> =>
  call.deps.audit.append({
    atMs: call.nowMs,
    actor: actorName(call.actor),
    action,
    accountId,
    targetId,
    before: before ? JSON.stringify(before) : null,
    after: null,
    requestId: call.requestId,
  })

const missing = (): GatewayError =>
  new GatewayError('not_found', 'There is no content of a request with this id: none was kept, or its time is over.')

const contentObject = (requestId: string, content: KeptContent): Record<string, unknown> => ({
  request_id: requestId,
  mode: content.mode,
  created_at: new Date(content.createdMs).toISOString(),
  expires_at: new Date(content.expiresMs).toISOString(),
  request: partObject(content.request),
  response: partObject(content.response),
})

const partObject = ({ text, bytes, isCut, digest }: KeptPart): Record<string, unknown> => ({
  text,
  bytes,
  cut: isCut,
  digest,
})
