import { createHmac } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Account, Accounts } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { BillingMode } from '#ledger/types.ts'
import { createMailer, type SendMail } from '#outbound/mail.ts'
import type { Store } from '#store/store.ts'
import { Attempts, isAttempt } from './attempts.ts'
import { evenAnswer, inBackground } from './even-answers.ts'
import type { Auth } from './auth.ts'
import { isDigest } from './hashed-tokens.ts'
import type { SessionDatabase } from './session-database.ts'
import type { AccountRole, AuthAnswer, AuthRequest, Session, Sessions, SessionSettings, UserRole } from './types.ts'

export interface SessionParts {
  readonly store: Store
  readonly accounts: Accounts
  readonly pepper: string
  readonly billing: BillingMode
  readonly settings: SessionSettings
  /** The public root without trailing slash; asked when it is first needed, because a free port is known late. */
  readonly baseUrl: () => string
  readonly log: (message: string) => void
  readonly sendMail?: SendMail
  /** Credits a new person's account with what the operator gives (R95). */
  readonly grantBonus?: (accountId: string) => Promise<unknown>
  readonly now?: () => number
}

/** The tier of whoever signed up and has bought nothing yet (R22). */
export const SIGN_UP_TIER = 'free'

/** Every cookie of ours has this in its name, with `__Secure-` before it over TLS. */
const COOKIE = /(?:^|;\s*)(?:__Secure-)?trivium\.session_token=([^;]*)/

/** Accounts' people: who they are, that they are signed in, and for which account they act (R22). */
export function createSessions(parts: SessionParts): Sessions {
  const { now = Date.now } = parts
  const attempts = new Attempts()
  let opening: Promise<Opened> | undefined
  let openedFor = ''
  const open = (): Promise<Opened> => {
    const baseUrl = parts.baseUrl()
    if (opening === undefined || openedFor !== baseUrl) {
      openedFor = baseUrl
      opening = openAuth(parts, baseUrl)
    }
    return opening
  }
  return {
    async answer(request) {
      const path = request.url.split('?', 1)[0]!
      if (isAttempt(request.method, path)) attempts.count(namesOf(request), now())
      const { auth, mails } = await open()
      const even = mails ? evenAnswer(path) : null
      const response = await auth.handler(await requestOf(request, openedFor))
      await even
      return answerOf(response)
    },
    maySignIn: ({ cookie }) => typeof cookie === 'string' && COOKIE.test(cookie),
    isOwnOrigin: (origin) => origin !== undefined && trustedOrigins(parts.baseUrl()).includes(origin),
    async find(headers) {
      const { cookie } = headers
      if (typeof cookie !== 'string' || isStolen(cookie)) return null
      const opened = await open()
      const found = await opened.auth.api.getSession({
        headers: new Headers({ cookie }),
        query: { disableRefresh: true },
      })
      return found && sessionOf(parts, opened.db, found.session, found.user.id)
    },
  }
}

interface Opened {
  readonly auth: Auth
  /** Whether addresses are proved by mail; then nothing else tells who has one here. */
  readonly mails: boolean
  readonly db: Kysely<SessionDatabase>
}

/** Loaded with the first sign-in: it is much code, and most processes answer keys only. */
async function openAuth(parts: SessionParts, baseUrl: string): Promise<Opened> {
  const [{ createAuth }, { createSessionDatabase }] = await Promise.all([
    import('./auth.ts'),
    import('./session-database.ts'),
  ])
  const { store, settings, pepper, log } = parts
  const db = createSessionDatabase(store)
  const mailer = parts.sendMail ?? createMailer(settings.smtpUrl, settings.mailFrom)
  const onUnsent = (cause: unknown): void =>
    log(`a mail could not be sent: ${cause instanceof Error ? cause.message : ''}`)
  const auth = createAuth({
    db,
    settings,
    secret: settings.sessionSecret ?? createHmac('sha256', pepper).update('sessions').digest('base64url'),
    baseUrl,
    trustedOrigins: trustedOrigins(baseUrl),
    sendMail: mailer && inBackground(mailer, onUnsent),
    admit: (userId) => admit(parts, db, userId),
    founded: (organizationId) => openOrganizationAccount(parts, db, organizationId),
    log,
  })
  return { auth, db, mails: mailer !== null }
}

/**
 * Where a browser may come from: the gateway's own origin, and on a loopback address its other names. Never the Host header,
 * which would let a stranger choose where a link in a mail leads to.
 */
export function trustedOrigins(baseUrl: string): readonly string[] {
  const { protocol, hostname, port, origin } = new URL(baseUrl)
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return [origin]
  const suffix = port === '' ? '' : `:${port}`
  return ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${protocol}//${name}${suffix}`)
}

/** The address, and whom the body names: neither many addresses nor many names get more tries. */
function namesOf({ ip, body }: AuthRequest): readonly string[] {
  const email = emailIn(body)
  return email === undefined ? [`ip ${ip}`] : [`ip ${ip}`, `email ${email}`]
}

function emailIn(body: string | undefined): string | undefined {
  try {
    const { email } = JSON.parse(body ?? '{}') as { email?: unknown }
    return typeof email === 'string' ? email.trim().toLowerCase().slice(0, 254) : undefined
  } catch {
    return undefined
  }
}

async function requestOf({ method, url, headers, ip, body }: AuthRequest, baseUrl: string): Promise<Request> {
  const { PEER_HEADER } = await import('./auth.ts')
  const sent = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    // The body is text again, so its length is not what the client said.
    if (name === 'content-length' || name === 'transfer-encoding' || value === undefined) continue
    sent.set(name, Array.isArray(value) ? value.join(', ') : String(value))
  }
  if (isStolen(sent.get('cookie') ?? '')) sent.delete('cookie')
  sent.set(PEER_HEADER, ip)
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(baseUrl + url, { method, headers: sent, ...(hasBody && { body: body ?? '' }) })
}

/** Whether a cookie holds what is stored of a token: then somebody has read the database. */
function isStolen(cookie: string): boolean {
  const value = COOKIE.exec(cookie)?.[1]
  if (value === undefined) return false
  try {
    return isDigest(decodeURIComponent(value))
  } catch {
    return true
  }
}

async function answerOf(response: Response): Promise<AuthAnswer> {
  // Its own text of a failure is not written for strangers; the cause is in the log.
  if (response.status >= 500) throw new GatewayError('internal_error', 'The gateway failed to handle this request.')
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of response.headers) if (name !== 'set-cookie') headers[name] = value
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  return { status: response.status, headers, body: await response.text() }
}

interface UserRow {
  readonly id: string
  readonly email: string
  readonly emailVerified: number
  readonly role: UserRole
  readonly accountId: string | null
}

const readUser = async (db: Kysely<SessionDatabase>, id: string): Promise<UserRow | undefined> =>
  (await db
    .selectFrom('authUsers')
    .select(['id', 'email', 'emailVerified', 'role', 'accountId'])
    .where('id', '=', id)
    .executeTakeFirst()) as UserRow | undefined

/** What a user gets with the first session: an account, and the very first one the rights of the operator. */
async function admit(parts: SessionParts, db: Kysely<SessionDatabase>, userId: string): Promise<void> {
  const user = await readUser(db, userId)
  if (!user) return
  await sweep(db)
  const nowMs = (parts.now ?? Date.now)()
  const first = await parts.store.execute('putSetting', { name: 'first_admin', value: userId, nowMs })
  const isFirst = first === userId
  if (isFirst && user.role !== 'admin') {
    await db.updateTable('authUsers').set({ role: 'admin' }).where('id', '=', userId).execute()
  }
  if (user.accountId !== null) return
  const account = await accountFor(parts, user, isFirst)
  if (!account) return
  await db.updateTable('authUsers').set({ accountId: account.id }).where('id', '=', userId).execute()
}

/** Every sign-in takes away what is over, so that it does not pile up. By the wall clock, which better-auth writes. */
async function sweep(db: Kysely<SessionDatabase>): Promise<void> {
  const now = new Date().toISOString()
  for (const table of ['authSessions', 'authVerifications']) {
    await db.deleteFrom(table).where('expiresAt', '<=', now).execute()
  }
}

/** The account of this address when it is proved, else a new one. Undefined: the address is somebody's, and was not proved. */
async function accountFor(parts: SessionParts, user: UserRow, isFirst: boolean): Promise<Account | undefined> {
  const { accounts, settings } = parts
  const known = await accounts.findByEmail(user.email)
  if (known) return user.emailVerified ? known : undefined
  const account = await accounts.create({
    email: user.email,
    mode: 'prepaid',
    firstTier: SIGN_UP_TIER,
    actor: 'sign-up',
  })
  await parts.grantBonus?.(account.id)
  if (settings.signUp === 'approval' && !isFirst) return accounts.setStatus(account.id, 'suspended')
  return account
}

/** An organisation pays for itself: its account belongs to no address. */
async function openOrganizationAccount(
  parts: SessionParts,
  db: Kysely<SessionDatabase>,
  organizationId: string,
): Promise<void> {
  const email = `${organizationId.toLowerCase()}@organization.localhost`
  const account = await parts.accounts.create({ email, mode: 'prepaid', firstTier: SIGN_UP_TIER, actor: 'sign-up' })
  await db.updateTable('authOrganizations').set({ accountId: account.id }).where('id', '=', organizationId).execute()
}

async function sessionOf(
  parts: SessionParts,
  db: Kysely<SessionDatabase>,
  session: { readonly activeOrganizationId?: string | null | undefined },
  userId: string,
): Promise<Session | null> {
  const user = await readUser(db, userId)
  if (!user) return null
  const organizationId = session.activeOrganizationId ?? null
  const { accountId, accountRole } =
    organizationId === null
      ? { accountId: user.accountId, accountRole: 'owner' as const }
      : await membershipOf(db, organizationId, userId)
  if (accountId === null) {
    throw new GatewayError('permission_denied', 'An account with this e-mail address exists: verify the address first.')
  }
  const account = await parts.accounts.get(accountId)
  if (!account) return null
  if (account.status === 'suspended') throw new GatewayError('account_suspended', 'This account is suspended.')
  const { id, email, mode, status, tier, chargeFactor } = account
  return {
    userId,
    email: user.email,
    role: user.role,
    accountRole,
    organizationId,
    caller: {
      account: { id, email, mode, status, tier, chargeFactor },
      key: null,
      billing: parts.billing === 'off' ? 'off' : mode,
    },
  }
}

/** Read every time: who was removed from an organisation is out with the next request. */
async function membershipOf(
  db: Kysely<SessionDatabase>,
  organizationId: string,
  userId: string,
): Promise<{ accountId: string | null; accountRole: AccountRole }> {
  const row = (await db
    .selectFrom('authMembers as m')
    .innerJoin('authOrganizations as o', 'o.id', 'm.organizationId')
    .select(['m.role', 'o.accountId'])
    .where('m.organizationId', '=', organizationId)
    .where('m.userId', '=', userId)
    .executeTakeFirst()) as { role: string; accountId: string | null } | undefined
  if (!row) throw new GatewayError('permission_denied', 'You are no member of the active organisation.')
  const roles = row.role.split(',')
  const accountRole = roles.includes('owner') ? 'owner' : roles.includes('admin') ? 'admin' : 'member'
  return { accountId: row.accountId, accountRole }
}
