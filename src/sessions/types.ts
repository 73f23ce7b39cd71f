import type { Caller } from '#accounts/types.ts'
import type { PortalSettings } from '#config/types.ts'
import type { RequestHeaders } from '#codecs/dialect.ts'

/** `admin` is the operator's own people, with the rights of the master key in the control plane. */
export type UserRole = 'admin' | 'user'

/** What a user may do with the account that the session works for. */
export type AccountRole = 'owner' | 'admin' | 'member'

/** Who is signed in, and for which account: the own one, or that of the session's active organisation. */
export interface Session {
  readonly userId: string
  readonly email: string
  readonly role: UserRole
  readonly accountRole: AccountRole
  readonly organizationId: string | null
  /** As the guards of the control plane know a caller; there is no key. */
  readonly caller: Caller
}

/** One request to `/api/auth/*`, without the framework. */
export interface AuthRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Of the peer itself; never what a header says. */
  readonly ip: string
  readonly headers: RequestHeaders
  readonly body: string | undefined
}

export interface AuthAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
}

export interface Sessions {
  /** Answers sign-up, sign-in, second factors, organisations and what else stands under `/api/auth/`. Throws GatewayError: rate_limit_exceeded. */
  answer(request: AuthRequest): Promise<AuthAnswer>
  /** Whether the headers could belong to a session at all; costs nothing. */
  maySignIn(headers: RequestHeaders): boolean
  /** Whether a browser's `Origin` is one of ours; only such a request may change something by its cookie. */
  isOwnOrigin(origin: string | undefined): boolean
  /** The session of a cookie, or null. Throws GatewayError: account_suspended, permission_denied, store_unavailable. */
  find(headers: RequestHeaders): Promise<Session | null>
}

/** What the configuration says of signing in. */
export type SessionSettings = Pick<
  PortalSettings,
  'signUp' | 'loginProviders' | 'smtpUrl' | 'mailFrom' | 'sessionSecret'
>
