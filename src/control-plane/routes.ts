import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import {
  ACCOUNT_CHANGE,
  changeAccount,
  createAccount,
  CREDIT,
  creditAccount,
  listAccounts,
  listLedger,
  NEW_ACCOUNT,
  PAGE_QUERY,
  readAccount,
} from './admin-accounts.ts'
import { listBackends } from './admin-backends.ts'
import { changeRoute, createRoute, listRoutes, readRoute, removeRoute } from './admin-routes.ts'
import type { Actor, Answer, ControlPlaneDeps, Handler } from './call.ts'
import * as sessions from './agent-sessions.ts'
import * as alerts from './alerts.ts'
import * as billing from './billing.ts'
import { changeBudget, createBudget, listBudgets, readBudget, removeBudget } from './budgets.ts'
import { readActivity } from './activity.ts'
import { listAudit } from './audit.ts'
import {
  accountSubject,
  audited,
  codeSubject,
  contentSubject,
  creditSubject,
  exchangedSubject,
  keySubject,
  listSubject,
  settingSubject,
  thingSubject,
} from './audited.ts'
import { allowCatalogOrigins, readCatalog } from './catalog.ts'
import * as contents from './contents.ts'
import { readDiagnostics } from './diagnostics.ts'
import { explainRoute, resolveModel } from './explain.ts'
import { exportUsage } from './export.ts'
import { registerFallback } from './fallback.ts'
import { readGeneration } from './generation.ts'
import { readGenerationContent } from './generation-content.ts'
import type { ActorOf, Guard } from './guard.ts'
import { answerAuth, readSession } from './auth.ts'
import { CODE_EXCHANGE, createAuthCode, exchangeAuthCode, NEW_CODE } from './auth-keys.ts'
import {
  changeKey,
  createKey,
  KEY_CHANGE,
  KEY_QUERY,
  listKeys,
  NEW_KEY,
  readKey,
  removeKey,
  rotateKey,
  ROTATION,
} from './keys.ts'
import { listLogs, LOG_QUERY, readLog } from './logs.ts'
import { readCredits, readCurrentKey, readMe } from './me.ts'
import { countModels, listEmbeddingModels, listModels, listOwnModels, listProviders, readModel } from './models.ts'
import { listStatements, readStatement } from './statements.ts'
import { readModelStats } from './model-stats.ts'
import { mountRoutes } from './mount.ts'
import { describeRoutes } from './openapi.ts'
import { readAsset } from './page.ts'
import { reconcileInvoice } from './reconciliations.ts'
import { cancelResponse, listInputItems, readResponse, removeResponse } from './responses.ts'
import { verifyReceipts } from './receipts.ts'
import { readHealth, readRoot } from './root.ts'
import { exportTrackedUsage, readRecentUsage, readUsageStats } from './tracked-usage.ts'
import { readUpstreamEndpoints } from './upstream-endpoints.ts'
import { readUsage } from './usage.ts'
import { readCostInsights, readUsageSummary } from './usage-summary.ts'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS'

/** Of the JSON body and of the query. */
export interface RouteShape {
  readonly body?: z.ZodType
  readonly query?: z.ZodType
}

/** A route whose handler was checked against its guard. */
export interface AnyRoute {
  readonly method: Method
  readonly path: string
  readonly guard: Guard
  readonly handle: Handler<Actor>
  /** The body stays text and may hold a request for a model. */
  readonly takesText?: true
  /** The schemas that its handler validates by, for the description at /api/openapi.json. */
  readonly shape?: RouteShape
}

/** The guard decides which actors the handler must expect; past this line the pair is one value. */
function route<G extends Guard>(
  method: Method,
  path: string,
  guard: G,
  handle: Handler<ActorOf[G]>,
  shape?: RouteShape,
): AnyRoute {
  return { method, path, guard, handle: handle as Handler<Actor>, ...(shape && { shape }) }
}

/** Where SDKs look for models, by what their users take for the base URL: doubled prefixes and OpenRouter's mount (R5 to R7). */
const MODEL_LIST_PREFIXES = [
  '/v1',
  '/v1/v1',
  '/api/v1/v1',
  '/anthropic/v1',
  '/v1beta',
  '/v1beta/v1',
  '/v1beta/v1beta',
  '/api/v1beta',
  '/api/v1beta/v1',
  '/api/v1beta/v1beta',
]

/** Every path of the control plane with its guard, the one place where either is written. GET answers HEAD too. */
export const ROUTES: readonly AnyRoute[] = [
  // Open to everybody: the page, liveness, discovery (R10, R46).
  route('GET', '/', 'public', readRoot),
  route('GET', '/health', 'public', readHealth),
  route('GET', '/assets/:name', 'public', readAsset),
  route('GET', '/catalog/models', 'public', readCatalog),
  route('OPTIONS', '/catalog/models', 'public', allowCatalogOrigins),

  // Model lists: one set of models, four shapes (R54, C36).
  ...MODEL_LIST_PREFIXES.flatMap((prefix) => [
    route('GET', `${prefix}/models`, 'any-key', listModels),
    route('GET', `${prefix}/models/*`, 'any-key', readModel),
  ]),
  // OpenRouter lists its catalog without a key.
  route('GET', '/api/v1/models', 'optional-key', listModels),
  route('GET', '/api/v1/models/count', 'optional-key', countModels),
  route('GET', '/api/v1/models/user', 'any-key', listOwnModels),
  route('GET', '/api/v1/models/*', 'optional-key', readModel),
  route('GET', '/api/v1/model/*', 'optional-key', readModel),
  route('GET', '/api/v1/embeddings/models', 'optional-key', listEmbeddingModels),
  route('GET', '/api/v1/providers', 'optional-key', listProviders),

  // Stored responses (R3); the data plane makes them.
  ...['/v1/responses/:id', '/api/v1/responses/:id'].flatMap((path) => [
    route('GET', path, 'any-key', readResponse),
    route('DELETE', path, 'any-key', removeResponse),
    route('GET', `${path}/input_items`, 'any-key', listInputItems),
    route('POST', `${path}/cancel`, 'any-key', cancelResponse),
  ]),

  // What a key may know about itself, its account and its requests.
  route('GET', '/v1/me', 'any-key', readMe),
  route('GET', '/api/v1/me', 'any-key', readMe),
  route('GET', '/api/v1/key', 'any-key', readCurrentKey),
  route('GET', '/api/v1/credits', 'any-key-or-master', readCredits),
  route('GET', '/api/v1/generation', 'any-key-or-master', readGeneration),
  route('GET', '/api/v1/generation/content', 'any-key-or-master', readGenerationContent),
  route('GET', '/api/logs', 'any-key-or-master', listLogs, { query: LOG_QUERY }),
  route('GET', '/api/logs/:id', 'any-key-or-master', readLog),

  // What was asked and answered, where its owner wants it kept (R101).
  route('GET', '/api/logs/:id/content', 'any-key-or-master', contents.readContent),
  route('DELETE', '/api/logs/:id/content', 'management', contents.removeContent),
  route('DELETE', '/api/logs/content', 'management', contents.removeContents),
  route('GET', '/api/v1/content-log', 'management', contents.readContentWish),
  route(
    'PATCH',
    '/api/v1/content-log',
    'management',
    audited('content_log.update', contentSubject(contents.readContentWish), contents.changeContentWish),
    { body: contents.ACCOUNT_CONTENT },
  ),

  // What happened, added up (R102, R106).
  route('GET', '/api/usage', 'any-key-or-master', readUsage),
  route('GET', '/api/usage/summary', 'any-key-or-master', readUsageSummary),
  route('GET', '/api/usage/export', 'any-key-or-master', exportUsage),
  route('GET', '/v1/usage/stats', 'any-key-or-master', readUsageStats),
  route('GET', '/v1/usage/recent', 'any-key-or-master', readRecentUsage),
  route('GET', '/v1/usage/export', 'any-key-or-master', exportTrackedUsage),
  route('GET', '/api/stats/models', 'any-key-or-master', readModelStats),
  route('GET', '/api/insights/costs', 'any-key-or-master', readCostInsights),
  route('GET', '/api/v1/activity', 'management', readActivity),

  // What would become of a request, without sending it (R43, B7).
  route('GET', '/api/resolve', 'any-key-or-master', resolveModel),
  ...['/api/route/explain', '/v1/route/explain'].map((path) => ({
    ...route('POST', path, 'any-key-or-master', explainRoute),
    takesText: true as const,
  })),

  // Signing in (R22): everything behind this path is better-auth's.
  route('GET', '/api/session', 'any-key', readSession),
  ...(['GET', 'POST'] as const).map((method) => ({
    ...route(method, '/api/auth/*', 'public', answerAuth),
    takesText: true as const,
  })),

  // Keys of an account (R15).
  route('POST', '/api/v1/keys', 'management', audited('key.create', keySubject(), createKey), { body: NEW_KEY }),
  route('GET', '/api/v1/keys', 'management', listKeys, { query: KEY_QUERY }),
  route('GET', '/api/v1/keys/:hash', 'management', readKey),
  route('PATCH', '/api/v1/keys/:hash', 'management', audited('key.update', keySubject(readKey), changeKey), {
    body: KEY_CHANGE,
  }),
  route('POST', '/api/v1/keys/:hash/rotate', 'management', audited('key.rotate', keySubject(readKey), rotateKey), {
    body: ROTATION,
  }),
  route('DELETE', '/api/v1/keys/:hash', 'management', audited('key.delete', keySubject(readKey), removeKey)),

  route('GET', '/api/audit', 'management', listAudit),

  // Keys that a user allows an application (OpenRouter's PKCE flow).
  route('POST', '/api/v1/auth/keys/code', 'management', audited('code.create', codeSubject, createAuthCode), {
    body: NEW_CODE,
  }),
  route('POST', '/api/v1/auth/keys', 'public', audited('code.exchange', exchangedSubject, exchangeAuthCode), {
    body: CODE_EXCHANGE,
  }),

  // Paying in (R95).
  route('GET', '/v1/me/topup', 'any-key', billing.readTopupWays),
  route('POST', '/v1/me/vouchers', 'any-key', audited('voucher.redeem', thingSubject(), billing.redeemVoucher)),
  route('POST', '/v1/me/checkout', 'any-key', audited('order.create', thingSubject(), billing.openCheckout)),
  route('GET', '/v1/me/orders', 'any-key', billing.listOrders),
  route('GET', '/v1/me/orders/:id', 'any-key', billing.readOrder),
  route('GET', '/v1/me/auto-topup', 'any-key', billing.readAutoTopup),
  route(
    'PATCH',
    '/api/v1/auto-topup',
    'management',
    audited('auto_topup.update', settingSubject(), billing.changeAutoTopup),
  ),
  route('POST', '/api/v1/credits/coinbase', 'any-key-or-master', billing.refuseCoinbase),
  route('POST', '/api/admin/vouchers', 'master', audited('voucher.create', listSubject, billing.createVouchers)),
  route('GET', '/api/admin/vouchers', 'master', billing.listVouchers),
  route(
    'DELETE',
    '/api/admin/vouchers/:id',
    'master',
    audited('voucher.delete', thingSubject(), billing.revokeVoucher),
  ),

  // Budgets of an account (R97).
  route('POST', '/api/v1/budgets', 'management', audited('budget.create', thingSubject(), createBudget)),
  route('GET', '/api/v1/budgets', 'management', listBudgets),
  route('PATCH', '/api/v1/budgets/:id', 'management', audited('budget.update', thingSubject(readBudget), changeBudget)),
  route(
    'DELETE',
    '/api/v1/budgets/:id',
    'management',
    audited('budget.delete', thingSubject(readBudget), removeBudget),
  ),

  // Statements (R99).
  route('GET', '/api/billing/statements', 'any-key-or-master', listStatements),
  route('GET', '/api/billing/statements/:name', 'any-key-or-master', readStatement),

  // Alerts (R98).
  route('GET', '/v1/me/alerts', 'any-key', alerts.listAlerts),
  route('GET', '/api/v1/alert-settings', 'management', alerts.readAlertSettings),
  route(
    'PATCH',
    '/api/v1/alert-settings',
    'management',
    audited('alert_settings.update', settingSubject(alerts.readAlertSettings), alerts.changeAlertSettings),
  ),
  route('GET', '/api/alerts', 'any-key-or-master', alerts.readBell, { query: alerts.BELL_QUERY }),
  route('POST', '/api/alerts/acknowledge', 'management', alerts.acknowledgeAlerts),
  route('POST', '/api/alerts/:id/acknowledge', 'management', alerts.acknowledgeAlerts),
  route('GET', '/api/admin/alerts', 'master', alerts.listOperatorAlerts),

  // Sessions of agents (B14).
  route('GET', '/api/sessions', 'any-key-or-master', sessions.listSessions, { query: sessions.SESSION_QUERY }),
  route('GET', '/api/sessions/:id', 'any-key-or-master', sessions.readSession),
  route(
    'POST',
    '/api/sessions/:id/stop',
    'management',
    audited('agent_session.stop', thingSubject(), sessions.stopSession),
  ),

  // The operator (R21).
  route('POST', '/api/admin/accounts', 'master', audited('account.create', accountSubject(), createAccount), {
    body: NEW_ACCOUNT,
  }),
  route('GET', '/api/admin/accounts', 'master', listAccounts, { query: PAGE_QUERY }),
  route('GET', '/api/admin/accounts/:id', 'master', readAccount),
  route(
    'PATCH',
    '/api/admin/accounts/:id',
    'master',
    audited('account.update', accountSubject(readAccount), changeAccount),
    { body: ACCOUNT_CHANGE },
  ),
  route('POST', '/api/admin/accounts/:id/credits', 'master', audited('account.credit', creditSubject, creditAccount), {
    body: CREDIT,
  }),
  route('GET', '/api/admin/ledger', 'master', listLedger, { query: PAGE_QUERY }),
  route('GET', '/api/admin/receipts/verify', 'master', verifyReceipts),
  { ...route('POST', '/api/admin/reconciliations', 'master', reconcileInvoice), takesText: true as const },
  route('GET', '/v1/diagnostics', 'master', readDiagnostics),
  route('GET', '/api/admin/backends', 'master', listBackends),
  route('GET', '/api/admin/upstream-endpoints', 'master', readUpstreamEndpoints),
  route('GET', '/api/admin/routes', 'master', listRoutes),
  route('POST', '/api/admin/routes', 'master', audited('route.create', thingSubject(), createRoute)),
  route('PATCH', '/api/admin/routes/:id', 'master', audited('route.update', thingSubject(readRoute), changeRoute)),
  route('DELETE', '/api/admin/routes/:id', 'master', audited('route.delete', thingSubject(readRoute), removeRoute)),
]

const FOR_OPERATORS: ReadonlySet<Guard> = new Set<Guard>(['master', 'management'])
const PAGES: ReadonlySet<string> = new Set(['/', '/assets/:name'])

/** What clients of a gateway without a portal need: neither the page, nor keys, nor accounts. */
export const CLIENT_ROUTES: readonly AnyRoute[] = ROUTES.filter(
  ({ path, guard }) => !PAGES.has(path) && !FOR_OPERATORS.has(guard),
)

/** Where the payment provider tells its events; only mounted when there is a secret that they are checked by (M11). */
const PAYMENT_ROUTE: AnyRoute = {
  ...route('POST', '/api/webhooks/stripe', 'public', billing.receivePayment),
  takesText: true,
}

/**
 * Mounts the control plane: its routes, and the answers to unknown paths and wrong methods for both planes. Call it before
 * the data plane's routes are registered, because `Allow` names the routes that came after it.
 */
export function registerControlPlane(app: FastifyInstance, deps: ControlPlaneDeps, routes = ROUTES): void {
  registerFallback(app, deps.origins)
  // Made when it is first asked for: nobody else needs it.
  let description: object | undefined
  const describe = (): Answer => ({ body: (description ??= describeRoutes(routes, deps.version)) })
  const payments = deps.billing.payments === null ? [] : [PAYMENT_ROUTE]
  mountRoutes(app, deps, [...routes, ...payments, route('GET', '/api/openapi.json', 'public', describe)])
}
