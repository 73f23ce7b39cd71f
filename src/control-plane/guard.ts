import { createHash, timingSafeEqual } from 'node:crypto'
import type { Caller } from '#accounts/types.ts'
import { mayComeFrom } from '#base/addresses.ts'
import { ACCEPTED_HEADERS, type Credential, readCredential } from '#base/credential.ts'
import { GatewayError } from '#base/errors.ts'
import type { RequestHeaders } from '#codecs/dialect.ts'
import type { Actor, ControlPlaneDeps, KeyActor, MasterActor, Nobody } from './call.ts'

/** Whom each guard lets in; everybody else gets 401 without a valid credential and 403 with the wrong kind of one. */
export interface ActorOf {
  /** Everybody; credentials are not even looked at, so that a wrong one cannot fail (R21). */
  public: Nobody
  /** Everybody; a key that is presented must be valid and narrows the answer. */
  'optional-key': KeyActor | MasterActor | Nobody
  /** User and management keys, not the master key. */
  'any-key': KeyActor
  'any-key-or-master': KeyActor | MasterActor
  /** Management keys and the master key. */
  management: KeyActor | MasterActor
  master: MasterActor
}

export type Guard = keyof ActorOf

interface Presented {
  readonly method: string
  readonly ip: string
  readonly headers: RequestHeaders
  /** The value of `?key=` where the path allows it. */
  readonly queryKey: string | undefined
}

/**
 * Lets a caller in or throws GatewayError: api_key_required, invalid_api_key, permission_denied, or what the key ring says
 * about the key's state. The kind of the returned actor is one that the guard's row in `ActorOf` names.
 */
export async function authorize(
  guard: Guard,
  deps: ControlPlaneDeps,
  presented: Presented,
  nowMs: number,
): Promise<Actor> {
  if (guard === 'public') return { kind: 'nobody' }
  const credential = readCredential(presented.headers, { queryKey: presented.queryKey })
  if (credential && isMasterKey(credential.text, deps.masterKey)) return admitMaster(guard)
  if (deps.localCaller && opensWithoutAuth(guard)) return { kind: 'key', caller: deps.localCaller }
  const signedIn = credential ? null : await findSession(guard, deps, presented)
  if (signedIn) return signedIn
  if (!credential) {
    if (guard === 'optional-key') return { kind: 'nobody' }
    throw missingCredential(guard)
  }
  const caller = await findCaller(deps, credential, nowMs)
  const policy = caller.key?.policy
  if (policy && !mayComeFrom(policy, presented.ip)) {
    throw new GatewayError('permission_denied', 'This API key may not be used from this address.')
  }
  if (guard === 'master') {
    throw new GatewayError('permission_denied', 'This path takes the master key (GATEWAY_MASTER_KEY), not an API key.')
  }
  if (guard === 'management' && caller.key?.kind !== 'management') {
    throw new GatewayError('permission_denied', 'This path takes a management key or the master key, not a user key.')
  }
  return { kind: 'key', caller }
}

/** What only reads; everything else a page of a stranger could send with our cookie. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The cookie of a login session in place of a key (R15, R21). It changes something only from our own pages. */
async function findSession(
  guard: Guard,
  { sessions }: ControlPlaneDeps,
  { method, headers }: Presented,
): Promise<KeyActor | MasterActor | null> {
  if (!sessions?.maySignIn(headers)) return null
  const session = await sessions.find(headers)
  if (!session) return null
  const { origin } = headers
  if (!SAFE.has(method) && !sessions.isOwnOrigin(typeof origin === 'string' ? origin : undefined)) {
    throw new GatewayError('permission_denied', 'A session changes something only from the pages of this gateway.')
  }
  if (guard === 'master') {
    if (session.role === 'admin') return { kind: 'master', session }
    throw new GatewayError('permission_denied', 'This path is for administrators.')
  }
  if (guard === 'management' && !SAFE.has(method) && session.accountRole === 'member') {
    throw new GatewayError('permission_denied', 'A member may look at the keys of an organisation, not change them.')
  }
  return { kind: 'key', caller: session.caller, session }
}

/** Compares digests, so that neither content nor length of the master key shows in the time it takes. */
export function isMasterKey(presented: string, masterKey: string): boolean {
  return masterKey !== '' && timingSafeEqual(digest(presented), digest(masterKey))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

function admitMaster(guard: Guard): MasterActor {
  if (guard === 'any-key') {
    throw new GatewayError('invalid_api_key', 'The master key opens /api/admin and key management, not this path.')
  }
  return { kind: 'master' }
}

function missingCredential(guard: Guard): GatewayError {
  const wanted = guard === 'master' ? 'The master key' : guard === 'management' ? 'A management key' : 'An API key'
  return new GatewayError('api_key_required', `${wanted} is required: send ${ACCEPTED_HEADERS}.`)
}

/** The hint says which header was read, and of the key only what cannot be used. */
async function findCaller(deps: ControlPlaneDeps, credential: Credential, nowMs: number): Promise<Caller> {
  try {
    return await deps.keyRing.find(credential.text, nowMs)
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== 'invalid_api_key') throw thrown
    const place = credential.from === 'query' ? 'the query parameter key' : `the header ${credential.from}`
    throw new GatewayError('invalid_api_key', `The API key in ${place} is not known.`, { cause: thrown })
  }
}

/** Local mode opens what a key opens; administration keeps its master key. */
const opensWithoutAuth = (guard: Guard): boolean => guard !== 'management' && guard !== 'master'
