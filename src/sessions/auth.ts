import { kyselyAdapter } from '@better-auth/kysely-adapter'
import { passkey } from '@better-auth/passkey'
import { type BetterAuthOptions, betterAuth } from 'better-auth'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import { genericOAuth, organization, twoFactor } from 'better-auth/plugins'
import type { Kysely } from 'kysely'
import { hashingTokens } from './hashed-tokens.ts'
import { hashPassword, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, verifyPassword } from './passwords.ts'
import type { SessionDatabase } from './session-database.ts'
import type { SendMail } from '#outbound/mail.ts'
import type { SessionSettings } from './types.ts'

/** Path of everything that better-auth answers. */
export const AUTH_PATH = '/api/auth'
/** The peer's address as this process saw it; what a client sends under this name is dropped. */
export const PEER_HEADER = 'x-trivium-peer'
const COOKIE_PREFIX = 'trivium'
const SESSION_SECONDS = 7 * 24 * 3600
const SESSION_REFRESH_SECONDS = 24 * 3600
const MAIL_LINK_SECONDS = 3600
const ORGANIZATIONS_MAX = 20
const MEMBERS_MAX = 500

export interface AuthParts {
  readonly db: Kysely<SessionDatabase>
  readonly settings: SessionSettings
  readonly secret: string
  readonly baseUrl: string
  readonly trustedOrigins: readonly string[]
  readonly sendMail: SendMail | null
  /** Once for each sign-in, before its cookie is sent. */
  readonly admit: (userId: string) => Promise<void>
  readonly founded: (organizationId: string) => Promise<void>
  readonly log: (message: string) => void
}

export type Auth = ReturnType<typeof createAuth>

/** better-auth over our tables. Loads slowly, so nobody imports this file before it is needed. */
export function createAuth(parts: AuthParts) {
  const { db, settings, secret, baseUrl, trustedOrigins, sendMail, log } = parts
  const adapter = kyselyAdapter(db, { type: 'sqlite' })
  return betterAuth({
    appName: 'Trivium',
    baseURL: baseUrl,
    basePath: AUTH_PATH,
    secret,
    trustedOrigins: [...trustedOrigins],
    // Its SQLite dialect has dates as texts and flags as numbers, which both of our engines take.
    database: (options: BetterAuthOptions) => hashingTokens(adapter(options)),
    telemetry: { enabled: false },
    // Ours counts (see attempts.ts): it knows the peer's real address and the name that is tried.
    rateLimit: { enabled: false },
    logger: { level: 'error', disableColors: true, log: (_level, message) => log(message) },
    onAPIError: {
      onError: (cause) => {
        // Its refusals are the client's affair; the rest is ours. Never its arguments: they hold what was typed.
        if (!isRefusal(cause)) log(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))
      },
    },
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      useSecureCookies: baseUrl.startsWith('https:'),
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax' },
      ipAddress: { ipAddressHeaders: [PEER_HEADER] },
      disableOriginCheck: false,
      disableCSRFCheck: false,
      database: { validateSchema: false },
    },
    ...TABLES,
    ...passwordsOf(settings, sendMail),
    hooks: { before: refuseBroughtTokens },
    databaseHooks: { session: { create: { after: ({ userId }) => parts.admit(userId) } } },
    plugins: [
      organization({
        organizationLimit: ORGANIZATIONS_MAX,
        membershipLimit: MEMBERS_MAX,
        schema: ORGANIZATION_TABLES,
        organizationHooks: { afterCreateOrganization: ({ organization: { id } }) => parts.founded(id) },
        ...(sendMail && { sendInvitationEmail: invitationBy(sendMail, baseUrl) }),
      }),
      twoFactor({ issuer: 'Trivium', schema: { twoFactor: { modelName: 'authTwoFactors' } } }),
      passkey({
        rpID: new URL(baseUrl).hostname,
        rpName: 'Trivium',
        origin: [...trustedOrigins],
        schema: { passkey: { modelName: 'authPasskeys', fields: { credentialID: 'credentialId' } } },
      }),
      genericOAuth({ config: settings.loginProviders.map((provider) => providerOf(provider, settings)) }),
    ],
  })
}

/**
 * Who signs in at a provider comes back from there. A token that a client brings was asked for by nobody: a copy of one
 * would sign in as often as it is sent (S24).
 */
const refuseBroughtTokens = createAuthMiddleware(async ({ body }) => {
  const isBrought = typeof body === 'object' && body !== null && 'idToken' in body
  if (isBrought) throw new APIError('BAD_REQUEST', { message: 'Sign in at the provider; tokens are not taken.' })
})

const isRefusal = (cause: unknown): boolean => {
  const status = (cause as { statusCode?: unknown } | null)?.statusCode
  return typeof status === 'number' && status < 500
}

const TABLES = {
  user: {
    modelName: 'authUsers',
    additionalFields: {
      role: { type: 'string', defaultValue: 'user', input: false },
      accountId: { type: 'string', required: false, input: false },
    },
  },
  session: {
    modelName: 'authSessions',
    expiresIn: SESSION_SECONDS,
    updateAge: SESSION_REFRESH_SECONDS,
    // A cached session would outlive its end.
    cookieCache: { enabled: false },
  },
  account: { modelName: 'authLogins', encryptOAuthTokens: true },
  verification: { modelName: 'authVerifications', storeIdentifier: 'hashed' },
} as const satisfies Partial<BetterAuthOptions>

const ORGANIZATION_TABLES = {
  organization: {
    modelName: 'authOrganizations',
    additionalFields: { accountId: { type: 'string', required: false, input: false } },
  },
  member: { modelName: 'authMembers' },
  invitation: { modelName: 'authInvitations' },
} as const

/** With mail an address is proved before its first session; without, nothing can be sent to it. */
function passwordsOf({ signUp }: SessionSettings, sendMail: SendMail | null): Partial<BetterAuthOptions> {
  return {
    emailAndPassword: {
      enabled: true,
      disableSignUp: signUp === 'off',
      requireEmailVerification: sendMail !== null,
      revokeSessionsOnPasswordReset: true,
      minPasswordLength: PASSWORD_LENGTH_MIN,
      maxPasswordLength: PASSWORD_LENGTH_MAX,
      resetPasswordTokenExpiresIn: MAIL_LINK_SECONDS,
      password: { hash: hashPassword, verify: verifyPassword },
      ...(sendMail && {
        sendResetPassword: ({ user, url }: Linked) =>
          sendMail({ to: user.email, subject: 'Reset your password', text: `Set a new password here:\n${url}\n` }),
      }),
    },
    ...(sendMail && {
      emailVerification: {
        sendOnSignUp: true,
        sendOnSignIn: true,
        autoSignInAfterVerification: true,
        expiresIn: MAIL_LINK_SECONDS,
        sendVerificationEmail: ({ user, url }: Linked) =>
          sendMail({ to: user.email, subject: 'Verify your address', text: `Confirm your address here:\n${url}\n` }),
      },
    }),
  }
}

interface Linked {
  readonly user: { readonly email: string }
  readonly url: string
}

const invitationBy =
  (sendMail: SendMail, baseUrl: string) =>
  async (invited: { email: string; id: string; organization: { name: string } }): Promise<void> =>
    sendMail({
      to: invited.email,
      subject: `Invitation to ${invited.organization.name}`,
      text: `Sign in at ${baseUrl} and accept the invitation ${invited.id}.\n`,
    })

function providerOf(provider: SessionSettings['loginProviders'][number], { signUp }: SessionSettings) {
  const { id, clientId, clientSecret, discoveryUrl, authorizationUrl, tokenUrl, userInfoUrl, scopes } = provider
  return {
    providerId: id,
    clientId,
    pkce: true,
    scopes: [...scopes],
    disableSignUp: signUp === 'off',
    requireIdTokenVerification: discoveryUrl !== null,
    ...(clientSecret !== null && { clientSecret }),
    ...(discoveryUrl !== null && { discoveryUrl }),
    ...(authorizationUrl !== null && { authorizationUrl }),
    ...(tokenUrl !== null && { tokenUrl }),
    ...(userInfoUrl !== null && { userInfoUrl }),
  }
}
