import Fastify, { type FastifyInstance } from 'fastify'
import { TargetHealth } from '#health/target-health.ts'
import type { Tiers } from '#accounts/account-tier.ts'
import { createAccounts, ensureBuiltInAccounts } from '#accounts/accounts.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import { createAnalytics } from '#analytics/analytics.ts'
import { createRollups } from '#analytics/rollups.ts'
import { createReceipts } from '#analytics/receipts.ts'
import { createAudit } from '#observe/audit.ts'
import { createContentLog } from '#observe/content-log.ts'
import { ensurePepper } from '#accounts/secrets.ts'
import { createBilling } from '#billing/billing.ts'
import { signupBonusOf } from '#config/features.ts'
import type { Catalog } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import { createRequestReads } from '#control-plane/request-reads.ts'
import { registerControlPlane } from '#control-plane/routes.ts'
import { Outbound } from '#outbound/outbound.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { createAgentSessions } from '#ledger/agent-sessions.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { createResponseState } from '#response-state/response-state.ts'
import type { Store } from '#store/store.ts'
import { readVersion } from '#base/version.ts'

/** Accounts and keys need no catalog. */
const NO_CATALOG: Catalog = {
  generatedMs: 0,
  models: new Map(),
  backends: new Map(),
  groups: new Map(),
  routes: new Map(),
}

/** The control plane over an opened store, for `inject`; it never listens. */
export async function mountAdministration(
  store: Store,
  settings: Settings,
  masterKey: string,
): Promise<FastifyInstance> {
  await ensureBuiltInAccounts(store)
  // What a killed gateway left in its journal is booked before anybody looks at a balance.
  const ledger = openLedger(store, { journalFolder: settings.dataDir })
  await ledger.recover()
  await ledger.close()
  const pepper = await ensurePepper(store, settings.dataDir)
  const tiers: Tiers = () => settings.rateLimits.tiers
  const keyRing = createKeyRing(store, pepper, { tiers })
  const signupBonusNano = signupBonusOf(settings.portal)
  const app = Fastify({ logger: false })
  registerControlPlane(app, {
    accounts: createAccounts(store, { keyRing, tiers }),
    keys: createKeys(store, pepper, keyRing),
    keyRing,
    // Commands neither open a checkout nor hear of a payment.
    billing: createBilling(store, {
      pepper,
      currency: settings.currency,
      signupBonusNano,
      provider: null,
      operatorAccountId: OPERATOR_ACCOUNT_ID,
      outbound: new Outbound({ allowPrivate: () => settings.outboundAllowPrivate }),
      sendMail: async () => {},
    }),
    agentSessions: createAgentSessions(store),
    // No gateway runs on the folder: nothing is known of any backend.
    health: new TargetHealth(),
    catalog: { current: NO_CATALOG },
    requests: createRequestReads(store),
    analytics: createAnalytics(store, createRollups(store)),
    receipts: createReceipts(store),
    audit: createAudit(store),
    contents: createContentLog(store, pepper),
    responses: createResponseState(store),
    localCaller: null,
    masterKey,
    sessions: null,
    settings,
    version: readVersion(),
    traffic: () => ({ active: 0, readOn: 0 }),
    gatewayUrl: () => settings.gatewayUrl,
    // No command asks for it.
    freeDay: async () => ({ limit: null, used: 0, resetMs: Date.now() }),
    explainer: null,
    managedRoutes: null,
    routing: () => settings.routing,
  })
  return app
}
