import { GatewayError } from '#base/errors.ts'
import type { Answer, Call, KeyActor, Nobody } from './call.ts'

/** `/api/auth/*`: sign-up, sign-in, second factors, passkeys, organisations (R22). Bodies and answers are better-auth's. */
export async function answerAuth(call: Call<Nobody>): Promise<Answer> {
  const { sessions } = call.deps
  if (!sessions) throw new GatewayError('not_found', 'In single-user mode nobody signs in.')
  const { method, url, ip, headers } = call
  const body = typeof call.body === 'string' ? call.body : undefined
  const answer = await sessions.answer({ method, url, ip, headers, body })
  return {
    ...answer,
    headers: { ...answer.headers, 'cache-control': 'private, no-store', vary: 'Authorization, Cookie' },
  }
}

/** `GET /api/session`: who is signed in, and for which account. */
export function readSession({ actor }: Call<KeyActor>): Answer {
  const { session } = actor
  if (!session) throw new GatewayError('not_found', 'This request has no session.')
  const { userId, email, role, accountRole, organizationId, caller } = session
  const { id, mode, status, tier } = caller.account
  return {
    body: {
      user: { id: userId, email, role },
      account: { id, mode, status, tier, role: accountRole },
      organization_id: organizationId,
    },
  }
}
