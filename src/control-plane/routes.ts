import type { FastifyInstance } from 'fastify'
import { changeAccount, createAccount, creditAccount, listAccounts, listLedger, readAccount } from './admin-accounts.ts'
import { readActivity } from './activity.ts'
import { listBackends } from './admin-backends.ts'
import { listAudit } from './audit.ts'
import { accountSubject, audited, creditSubject, keySubject } from './audited.ts'
import type { Actor, ControlPlaneDeps, Handler } from './call.ts'
import { allowCatalogOrigins, readCatalog } from './catalog.ts'
import { readDiagnostics } from './diagnostics.ts'
import { explainRoute, resolveModel } from './explain.ts'
import { exportUsage } from './export.ts'
import { registerFallback } from './fallback.ts'
import { readGeneration } from './generation.ts'
import type { ActorOf, Guard } from './guard.ts'
import { changeKey, createKey, listKeys, readKey, removeKey } from './keys.ts'
import { listLogs, readLog } from './logs.ts'
import { readCredits, readCurrentKey, readMe } from './me.ts'
import { countModels, listEmbeddingModels, listModels, listOwnModels, listProviders, readModel } from './models.ts'
import { readModelStats } from './model-stats.ts'
import { mountRoutes } from './mount.ts'
import { readAsset } from './page.ts'
import { cancelResponse, listInputItems, readResponse, removeResponse } from './responses.ts'
import { verifyReceipts } from './receipts.ts'
import { readHealth, readRoot } from './root.ts'
import { exportTrackedUsage, readRecentUsage, readUsageStats } from './tracked-usage.ts'
import { readUsage } from './usage.ts'
import { readCostInsights, readUsageSummary } from './usage-summary.ts'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS'

/** A route whose handler was checked against its guard. */
export interface AnyRoute {
  readonly method: Method
  readonly path: string
  readonly guard: Guard
  readonly handle: Handler<Actor>
  /** The body stays text and may hold a request for a model. */
  readonly takesText?: true
}

/** The guard decides which actors the handler must expect; past this line the pair is one value. */
function route<G extends Guard>(method: Method, path: string, guard: G, handle: Handler<ActorOf[G]>): AnyRoute {
  return { method, path, guard, handle: handle as Handler<Actor> }
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
  route('GET', '/api/logs', 'any-key-or-master', listLogs),
  route('GET', '/api/logs/:id', 'any-key-or-master', readLog),

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

  // Keys of an account (R15).
  route('POST', '/api/v1/keys', 'management', audited('key.create', keySubject(), createKey)),
  route('GET', '/api/v1/keys', 'management', listKeys),
  route('GET', '/api/v1/keys/:hash', 'management', readKey),
  route('PATCH', '/api/v1/keys/:hash', 'management', audited('key.update', keySubject(readKey), changeKey)),
  route('DELETE', '/api/v1/keys/:hash', 'management', audited('key.delete', keySubject(readKey), removeKey)),

  route('GET', '/api/audit', 'management', listAudit),

  // The operator (R21).
  route('POST', '/api/admin/accounts', 'master', audited('account.create', accountSubject(), createAccount)),
  route('GET', '/api/admin/accounts', 'master', listAccounts),
  route('GET', '/api/admin/accounts/:id', 'master', readAccount),
  route(
    'PATCH',
    '/api/admin/accounts/:id',
    'master',
    audited('account.update', accountSubject(readAccount), changeAccount),
  ),
  route('POST', '/api/admin/accounts/:id/credits', 'master', audited('account.credit', creditSubject, creditAccount)),
  route('GET', '/api/admin/ledger', 'master', listLedger),
  route('GET', '/api/admin/receipts/verify', 'master', verifyReceipts),
  route('GET', '/v1/diagnostics', 'master', readDiagnostics),
  route('GET', '/api/admin/backends', 'master', listBackends),
]

/**
 * Mounts the control plane: its routes, and the answers to unknown paths and wrong methods for both planes. Call it before
 * the data plane's routes are registered, because `Allow` names the routes that came after it.
 */
export function registerControlPlane(app: FastifyInstance, deps: ControlPlaneDeps): void {
  registerFallback(app)
  mountRoutes(app, deps, ROUTES)
}
