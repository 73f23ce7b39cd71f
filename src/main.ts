import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Tiers } from '#accounts/account-tier.ts'
import { createAccounts, ensureBuiltInAccounts } from '#accounts/accounts.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import { createReceipts } from '#analytics/receipts.ts'
import { createAudit } from '#observe/audit.ts'
import { ensurePepper } from '#accounts/secrets.ts'
import { type Caller, LOCAL_ACCOUNT_ID, OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { CrossOrigins } from '#base/cross-origin.ts'
import { readVersion } from '#base/version.ts'
import { simulatedBackend } from '#catalog/build-backend.ts'
import type { Billing } from '#billing/billing.ts'
import { buildCatalog, freeModelIds } from '#catalog/catalog.ts'
import type { Backend, Catalog, CatalogSource } from '#catalog/types.ts'
import { withLiveSettings } from '#config/live-settings.ts'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import type { ManagedRoute } from '#config/managed-routes.ts'
import type { Settings } from '#config/types.ts'
import { CLIENT_ROUTES, registerControlPlane, ROUTES } from '#control-plane/routes.ts'
import { Drains } from '#data-plane/drains.ts'
import { UpstreamPools } from '#data-plane/7-call/pools.ts'
import { createExplainer, type Explainer } from '#data-plane/explain/explain.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { Replays } from '#data-plane/replays.ts'
import { ActiveRequests, createDataPlane, registerGeminiPaths } from '#data-plane/routes.ts'
import { RetryBudget } from '#health/retry-budget.ts'
import { PromptCaches } from '#health/prompt-caches.ts'
import { TargetSpeeds } from '#health/target-speed.ts'
import { TargetHealth } from '#health/target-health.ts'
import type { RecoverableLedger } from '#ledger/ledger.ts'
import { createAgentSessions } from '#ledger/agent-sessions.ts'
import { createIdempotency } from '#ledger/idempotency.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { createPeriodClock, type PeriodClock } from '#ledger/periods.ts'
import { BreakGlass } from '#limits/break-glass.ts'
import type { SharedCounts } from '#limits/types.ts'
import { RateLimits } from '#limits/rate-limits.ts'
import { createLog } from '#observe/log.ts'
import type { RequestLog } from '#observe/request-row.ts'
import { Outbound } from '#outbound/outbound.ts'
import { createSessions, type SessionParts } from '#sessions/sessions.ts'
import type { Sessions } from '#sessions/types.ts'
import type { Simulator } from '#simulator/index.ts'
import { checkWritable, ensureDataFolder } from '#store/data-folder.ts'
import { createSharedCounts } from '#store/limit-counts.ts'
import { createLimitHistory } from '#store/limit-history.ts'
import { storeAt } from '#store/location.ts'
import { openStore, type Store, type StoreOptions } from '#store/store.ts'
import { createFirstKey, masterKeyOf } from './first-start.ts'
import { readManagedRoutes } from './managed-routes.ts'
import { billRegularly, followBudgets, openBilling, watchedBy } from './open-billing.ts'
import { openKept, openRecords, takerOf } from './open-records.ts'
import { autoSynced, workRegularly } from './regular-work.ts'
import { createAnthropicServer, createServer, listen, urlOf } from './server.ts'
import { usesSimulator, watchCatalog, type WatchOptions } from './watched-catalog.ts'

/** The composition root: config -> store -> catalog -> ledger -> planes. Nothing else knows all of them. */

export interface StartOptions {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Milliseconds, for limits over time, budgets and the pauses of backends; default: the machine's clocks. */
  readonly now?: () => number
  /** How often alerts are looked at; default: 15 seconds. */
  readonly alertIntervalMs?: number
  /** One plane alone, where several processes share a database; default: both. */
  readonly plane?: 'gateway' | 'portal'
  /** Where everything is kept; default: what the configuration says. */
  readonly store?: StoreOptions
}

export interface RunningGateway {
  /** The listen address as a URL. */
  readonly url: string
  /** Where only the Anthropic protocol is served; null without such a port. */
  readonly anthropicUrl: string | null
  /** What clients are told: GATEWAY_URL, else `url`. */
  readonly gatewayUrl: string
  /** `fresh`: not shown by any start before. */
  readonly masterKey: { readonly value: string; readonly fresh: boolean }
  readonly firstKey: string | null
  readonly providersFound: readonly string[]
  readonly modelCount: number
  readonly simulator: boolean
  readonly dataDir: string
  close(): Promise<void>
}

/** In-flight requests get this long to finish after a signal to stop (R123). */
const DRAIN_MS = 30_000

/** Starts everything and resolves once requests are accepted. Rejects with an Error whose first line tells what to do. */
export async function startGateway(options: StartOptions): Promise<RunningGateway> {
  const loaded = loadConfig(options)
  const { settings } = loaded
  ensureDataFolder(settings.dataDir)
  checkWritable(settings.dataDir)
  const log = createLog(settings.logLevel, settings.logFile)
  for (const warning of loaded.warnings) log.warn({ warning }, 'configuration')
  const store = await openStore(options.store ?? storeAt(settings))
  let simulator: Simulator | null = null
  try {
    await ensureBuiltInAccounts(store)
    simulator = await startSimulatorFor(settings)
    const stored = await readManagedRoutes(store)
    const load = (managedRoutes: readonly ManagedRoute[]) => loadConfig({ ...options, managedRoutes })
    const whole = stored.routes.length > 0 ? load(stored.routes) : loaded
    return await openPlanes(clocked(options, store), {
      loaded: whole,
      load,
      log,
      simulator,
      store,
      stored,
      now: options.now,
    })
  } catch (error) {
    await simulator?.close()
    await store.close()
    throw error
  }
}

/** Puts both planes on one server over one store and one catalog. */
async function openPlanes(options: StartOptions, start: WatchOptions): Promise<RunningGateway> {
  const { loaded, log, simulator, store } = start
  const { settings } = loaded
  const masterKey = masterKeyOf(settings)
  const pepper = await ensurePepper(store, settings.dataDir)
  const { catalog, health, reloader, managedRoutes, onReload } = watchCatalog(start)
  const current = (): Settings => reloader.current.settings
  const { keyRing, ledger, accounts, keys, billing } = await openAccounts(options, start, pepper, current, onReload)
  const { requestLog, capture, rollups, requests, analytics } = openRecords(store, settings, log)
  const { responses, seals, contents, sealStash, flushKept } = openKept(store, pepper, current, log, options)
  const limits = limitsOver(store, catalog, current, options.now)
  const lab = createFaultLab(settings, simulator)
  const origins = new CrossOrigins(() => current().corsAllowedOrigins)
  const linked = linkedOver(store, options, requestLog)
  const shared = { catalog, keyRing, health, responses, log, origins, localCaller: localCallerOf(settings) }
  const gateway: Gateway = withLiveSettings(current, {
    ...shared,
    ledger,
    ...operatorBy(billing),
    ...linked,
    requestLog,
    limits,
    requests,
    capture,
    sealStash,
    contents: takerOf(settings, contents),
    ...openRoads(current, lab, createSharedCounts(store, options.now), log),
  })
  const active = new ActiveRequests()
  const app = createServer(options.plane === 'portal' ? () => false : createDataPlane(gateway, active, origins))
  const gatewayUrl = (): string | null => current().gatewayUrl
  const read = { requests, analytics, receipts: createReceipts(store), audit: createAudit(store), contents }
  const own = { ...read, accounts, keys, billing, settings, gatewayUrl, masterKey: masterKey.value, managedRoutes }
  const root = (): string => gatewayUrl() ?? urlOf(app.server, settings.host)
  const signUp = { store, accounts, pepper, baseUrl: root, grantBonus: billing.grantSignupBonus }
  const sessions = sessionsOver(signUp, options, settings, log)
  const clock = options.now ? { now: options.now } : {}
  const deps = { ...shared, ...linked, ...own, ...clock, sessions, ...routingOf(gateway, limits, active) }
  registerControlPlane(app, deps, routesOf(options))
  registerGeminiPaths(app)
  await app.listen({ host: settings.host, port: settings.port })
  const url = urlOf(app.server, settings.host)
  const anthropic = await listenForAnthropic(app, settings)
  const kept = { responses, seals, contents, rollups, catalog, retentionDays: () => current().logRetentionDays }
  const stopRegularWork = workRegularly(store, ledger, kept, () => autoSynced(current(), catalog), gateway)
  const stopBilling = billRegularly(billing, log, watchedBy(current, catalog, health, limits), options.alertIntervalMs)
  const firstKey = settings.disableAuth ? null : await createFirstKey(keys)
  masterKey.markShown()
  return {
    url,
    anthropicUrl: anthropic && urlOf(anthropic, settings.host),
    gatewayUrl: gatewayUrl() ?? url,
    masterKey,
    firstKey,
    ...foundBy(loaded, catalog.current, simulator),
    close: async () => {
      await stopRegularWork()
      stopBilling()
      reloader.close()
      await endTraffic(app, anthropic, active)
      await requestLog.flush()
      await flushKept()
      await capture?.close()
      await ledger.close()
      await gateway.pools.close()
      await lab.close()
      await store.close()
    },
  }
}

/** Who bears what no customer is charged for, and how it is told. */
const operatorBy = ({ tellOperator }: Billing) => ({ operatorAccountId: OPERATOR_ACCOUNT_ID, tellOperator })

/** What knows that requests belong together. */
const linkedOver = (store: Store, { now }: StartOptions, log: RequestLog) => ({
  idempotency: createIdempotency(store, now),
  replays: new Replays(),
  agentSessions: createAgentSessions(store, now, log),
})

/** Nodes that share a database count and expire by its time, whatever their own clocks say (M14, M17). */
function clocked(options: StartOptions, { clock }: Store): StartOptions {
  return clock === null || options.now ? options : { ...options, now: clock.now }
}

/** Explains by the configuration alone: nothing runs, so that nothing is known of any backend's health. */
export function explainerOf(settings: Settings, simulatorUrl: string): Explainer {
  const current = buildCatalog(settings, { simulatorUrl, nowMs: Date.now() })
  return createExplainer({
    settings,
    catalog: { current },
    health: new TargetHealth(),
    speeds: new TargetSpeeds(),
    promptCaches: new PromptCaches(() => performance.now()),
    random: Math.random,
  })
}

const routesOf = ({ plane }: StartOptions) => (plane === 'gateway' ? CLIENT_ROUTES : ROUTES)

/** What the control plane asks of the data plane, which it does not know. */
const routingOf = (gateway: Gateway, { freeDay }: RateLimits, active: ActiveRequests) => ({
  freeDay,
  traffic: () => ({ active: active.count, readOn: gateway.drains.running }),
  version: readVersion(),
  explainer: createExplainer(gateway),
  routing: () => gateway.settings.routing,
})

/** The second port, when one is wanted; the first one's server is closed again when it cannot be had. */
async function listenForAnthropic(app: FastifyInstance, { host, anthropicPort }: Settings): Promise<Server | null> {
  if (anthropicPort === null) return null
  const server = createAnthropicServer(app.server)
  try {
    await listen(server, host, anthropicPort)
  } catch (error) {
    await app.close()
    throw error
  }
  return server
}

function foundBy(loaded: LoadedConfig, catalog: Catalog, simulator: Simulator | null) {
  return {
    providersFound: loaded.providersFound.map(({ name }) => name),
    modelCount: catalog.routes.size,
    simulator: simulator !== null,
    dataDir: loaded.settings.dataDir,
  }
}

/** Accounts, their keys, and their money. */
async function openAccounts(
  options: StartOptions,
  { store, log }: WatchOptions,
  pepper: string,
  current: () => Settings,
  onReload: (listener: (settings: Settings) => void) => void,
) {
  const settings = current()
  const periods = createPeriodClock(settings.budgetTimeZone)
  const tiers: Tiers = () => current().rateLimits.tiers
  const keyRing = createKeyRing(store, pepper, { tiers, ...(settings.billingMode === 'off' && { billing: 'off' }) })
  const ledger = await openBooks(store, settings, log, options.now, periods)
  const clock = options.now ? { now: options.now } : {}
  const accounts = createAccounts(store, { keyRing, heldOf: ledger.heldOf, tiers, ...clock })
  const keys = createKeys(store, pepper, keyRing, store.clock?.now, ledger.heldOfKey, periods)
  const billing = openBilling(store, pepper, current, periods, log, { ...clock, onPurchase: keyRing.forgetAccount })
  // A portal may have a file of its own; what is spent is the gateways' to bound.
  if (options.plane !== 'portal') await followBudgets(billing, settings, onReload, log)
  return { keyRing, ledger, accounts, keys, billing }
}

/** The ledger, with what a process before left behind in it. */
async function openBooks(
  store: Store,
  settings: Settings,
  log: Logger,
  now: (() => number) | undefined,
  periods: PeriodClock,
): Promise<RecoverableLedger> {
  const onDelay = (err: unknown) => log.error({ err }, 'a settlement has to be written again')
  const onHoldLeft = (err: unknown) => log.error({ err }, 'a hold that nobody uses is left until its lease ends')
  const hooks = { onDelay, onHoldLeft, periods, ...(now && { now }) }
  const ledger = openLedger(store, { journalFolder: settings.dataDir, ...hooks })
  await ledger.recover()
  return ledger
}

/** What finds the way to an upstream, besides the catalog. */
function openRoads(settings: () => Settings, lab: FaultLab, counts: SharedCounts, log: Logger) {
  const onUnspent = (err: unknown): void => log.error({ err }, 'what a break-glass backend cost could not be noted')
  return {
    pools: new UpstreamPools(),
    breakGlass: new BreakGlass(counts, onUnspent),
    retryBudget: new RetryBudget(),
    drains: new Drains(),
    speeds: new TargetSpeeds(),
    promptCaches: new PromptCaches(() => performance.now()),
    random: Math.random,
    outbound: new Outbound({ allowPrivate: () => settings().outboundAllowPrivate }),
    simulated: lab.backend,
  }
}

/** Whoever signs in; in single-user mode nobody has to (C40). */
function sessionsOver(
  parts: Pick<SessionParts, 'store' | 'accounts' | 'pepper' | 'baseUrl' | 'grantBonus'>,
  { now }: StartOptions,
  { disableAuth, portal, billingMode: billing }: Settings,
  log: Logger,
): Sessions | null {
  if (disableAuth) return null
  const onFault = (message: string): void => log.error({ message }, 'signing in failed')
  return createSessions({ ...parts, billing, settings: portal, log: onFault, ...(now && { now }) })
}

async function endTraffic(app: FastifyInstance, anthropic: Server | null, active: ActiveRequests): Promise<void> {
  anthropic?.close()
  anthropic?.closeIdleConnections()
  await drain(app, active)
  anthropic?.closeAllConnections()
}

/** Takes no new connection, lets what is in flight finish for a while, then ends it. */
async function drain(app: FastifyInstance, active: ActiveRequests): Promise<void> {
  app.server.close()
  app.server.closeIdleConnections()
  await active.drained(DRAIN_MS)
  app.server.closeAllConnections()
  await app.close()
}

async function startSimulatorFor(settings: Settings): Promise<Simulator | null> {
  if (!usesSimulator(settings)) return null
  return (await import('#simulator/index.ts')).startSimulator({})
}

interface FaultLab {
  backend(): Promise<Backend>
  close(): Promise<void>
}

/** The simulator that stands in for providers (B12): the one that runs, else one that is started when it is first asked for. */
function createFaultLab(settings: Settings, running: Simulator | null): FaultLab {
  let opening: Promise<Simulator> | null = running && Promise.resolve(running)
  const open = async (): Promise<Simulator> => (await import('#simulator/index.ts')).startSimulator({})
  return {
    backend: async () => simulatedBackend(settings.timeouts, (await (opening ??= open())).url),
    close: async () => (await opening)?.close(),
  }
}

function limitsOver(store: Store, catalog: CatalogSource, settings: () => Settings, now?: () => number): RateLimits {
  return new RateLimits({
    settings: () => settings().rateLimits,
    history: createLimitHistory(store),
    ...(store.engine === 'postgres' && { shared: createSharedCounts(store, now) }),
    freeModelIds: () => freeModelIds(catalog.current),
    ...(now && { now }),
  })
}

/** Who calls where client authentication is off (R16), else null. */
function localCallerOf(settings: Settings): Caller | null {
  if (!settings.disableAuth) return null
  const account = {
    id: LOCAL_ACCOUNT_ID,
    email: 'local@localhost',
    mode: 'postpaid',
    status: 'active',
    tier: 'free',
  } as const
  return { account, key: null, billing: settings.billingMode }
}
