import type { Option } from './option.ts'

/** What upstreams are told about the calling application (R113, R114). */
export const IDENTITY_OPTIONS: readonly Option[] = [
  {
    path: 'identity.user_agent',
    env: 'APP_USER_AGENT',
    flag: 'identity-user-agent',
    type: 'identity',
    description: "Sent to upstreams as User-Agent in place of the client's.",
  },
  {
    path: 'identity.user_agent.mode',
    env: 'APP_USER_AGENT_MODE',
    type: 'text',
    description: "User-Agent: passthrough (the client's own), override, or default (ours).",
  },
  {
    path: 'identity.referer',
    env: 'APP_URL',
    flag: 'identity-url',
    type: 'identity',
    description: "Sent to upstreams as HTTP-Referer in place of the client's.",
  },
  {
    path: 'identity.referer.mode',
    env: 'APP_URL_MODE',
    type: 'text',
    description: "HTTP-Referer: passthrough (the client's own), override, or default (ours).",
  },
  {
    path: 'identity.x_title',
    env: 'APP_TITLE',
    flag: 'identity-title',
    type: 'identity',
    description: "Sent to upstreams as X-Title in place of the client's.",
  },
  {
    path: 'identity.x_title.mode',
    env: 'APP_TITLE_MODE',
    type: 'text',
    description: "X-Title: passthrough (the client's own), override, or default (ours).",
  },
]

/** What is kept of each request (R108). */
export const USAGE_OPTIONS: readonly Option[] = [
  {
    path: 'usage_tracking.enabled',
    env: 'DISABLE_ACCOUNTING',
    flag: 'disable-accounting',
    alsoFlag: 'no-accounting',
    type: 'boolean',
    default: true,
    description: 'Keeps no row and no cost of any request; only with billing off.',
    inverted: true,
  },
  {
    path: 'usage_tracking.enabled',
    env: 'USAGE_TRACKING_ENABLED',
    type: 'boolean',
    description: 'The same the other way round.',
  },
  {
    path: 'logs.retention_days',
    env: 'LOGS_RETENTION_DAYS',
    type: 'integer',
    default: 90,
    description: 'Days that request rows are kept, at least 7; 0: for ever. What they add up to stays.',
  },
  {
    path: 'reconcile.alert_pct',
    env: 'RECONCILE_ALERT_PCT',
    type: 'number',
    default: 1,
    description:
      "Percent by which a provider's invoice may differ from the metered cost of a model and day without an alert.",
  },
  {
    path: 'usage_tracking.persistence_path',
    env: 'USAGE_TRACKING_PERSISTENCE_PATH',
    type: 'text',
    description: 'Accepted for files of the reference; rows stand in the database.',
  },
  {
    path: 'usage_tracking.flush_interval_seconds',
    env: 'USAGE_TRACKING_FLUSH_INTERVAL_SECONDS',
    type: 'seconds',
    default: 30,
    description: 'Longest time a row of usage waits to be written.',
  },
  {
    path: 'usage_tracking.max_records_in_memory',
    env: 'USAGE_TRACKING_MAX_RECORDS_IN_MEMORY',
    type: 'integer',
    default: 100000,
    description: 'Rows that may wait.',
  },
]

/** The portal, sign-up and payments. */
export const PORTAL_OPTIONS: readonly Option[] = [
  {
    path: 'portal.port',
    env: 'PORTAL_PORT',
    type: 'integer',
    description: 'A port of its own for the portal.',
  },
  {
    path: 'portal.catalog_cache_seconds',
    env: 'GATEWAY_CATALOG_CACHE_SECONDS',
    type: 'seconds',
    default: 60,
    description: 'How long the portal keeps the catalog; 0: not at all.',
    lenient: true,
  },
  {
    path: 'portal.catalog_route_groups',
    env: 'GATEWAY_CATALOG_ROUTE_GROUPS',
    type: 'text',
    description: 'Groups that the catalog shows, separated by commas; unset: all.',
  },
  {
    path: 'portal.catalog_overrides_path',
    env: 'CATALOG_OVERRIDES_PATH',
    type: 'text',
    description: "File with the portal's own texts about models.",
  },
  {
    path: 'portal.session_secret',
    env: 'SESSION_SECRET',
    type: 'text',
    description: 'Signs login sessions.',
    secret: true,
  },
  {
    path: 'portal.smtp_url',
    env: 'SMTP_URL',
    type: 'text',
    description: 'Mail server for verification and alerts; console: mails are printed.',
    secret: true,
  },
  {
    path: 'portal.mail_from',
    env: 'MAIL_FROM',
    type: 'text',
    default: 'Trivium <trivium@localhost>',
    description: 'Sender of mails.',
  },
  {
    path: 'portal.sign_up',
    env: 'SIGN_UP',
    type: 'text',
    default: 'open',
    description: 'Who may sign up: open, approval (an administrator activates the account) or off.',
  },
  {
    path: 'billing.stripe_secret_key',
    env: 'STRIPE_SECRET_KEY',
    type: 'text',
    description: 'Key of Stripe, for top-ups.',
    secret: true,
  },
  {
    path: 'billing.stripe_webhook_secret',
    env: 'STRIPE_WEBHOOK_SECRET',
    type: 'text',
    description: "Secret of Stripe's webhook.",
    secret: true,
  },
  {
    path: 'billing.stripe_api_url',
    env: 'STRIPE_API_URL',
    type: 'text',
    description: "Root of Stripe's API, for a proxy or a test; unset: Stripe itself.",
  },
  {
    path: 'billing.signup_bonus',
    env: 'SIGNUP_BONUS',
    type: 'text',
    default: '0',
    description: 'Credit of a new account that is given none, in USD.',
  },
]
