import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createAccounts, ensureBuiltInAccounts } from '#accounts/accounts.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import { ensurePepper, ensureSecret } from '#accounts/secrets.ts'
import { type Caller, type Keys, LOCAL_ACCOUNT_ID, OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { id } from '#base/ids.ts'
import { buildCatalog, createCatalogSource } from '#catalog/catalog.ts'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import { createReloader, type Reloader } from '#config/reload.ts'
import type { Settings } from '#config/types.ts'
import { createRequestReads } from '#control-plane/request-reads.ts'
import { sendError } from '#control-plane/mount.ts'
import { registerControlPlane } from '#control-plane/routes.ts'
import { UpstreamPools } from '#data-plane/7-call/pools.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { ActiveRequests, createDataPlane, registerGeminiPaths } from '#data-plane/routes.ts'
import { createLedger, type RecoverableLedger } from '#ledger/ledger.ts'
import { createLog } from '#observe/log.ts'
import { createRequestLog } from '#observe/request-log.ts'
import type { Simulator } from '#simulator/index.ts'
import { checkWritable, ensureDataFolder } from '#store/data-folder.ts'
import { storeAt } from '#store/location.ts'
import { openStore, type Store } from '#store/store.ts'
import packageFacts from '../package.json' with { type: 'json' }

/** The composition root: config -> store -> catalog -> ledger -> planes. Nothing else knows all of them. */

export interface StartOptions {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface RunningGateway {
  /** The listen address as a URL. */
  readonly url: string
  /** What clients are told: GATEWAY_URL, else `url`. */
  readonly gatewayUrl: string
  /** `fresh`: made by this start, and to be shown now or never. */
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

/** Headers must arrive within this; bodies have their own bound in the data plane (attack S15). */
const HEADERS_MS = 15_000

/** Longer than the idle time of common load balancers, so that they and not we end a quiet connection. */
const KEEP_ALIVE_MS = 65_000

/** How often a gateway on a shared database looks for holds that a dead node left behind. */
const RECOVERY_INTERVAL_MS = 60_000

/** Starts everything and resolves once requests are accepted. Rejects with an Error whose first line tells what to do. */
export async function startGateway(options: StartOptions): Promise<RunningGateway> {
  const loaded = loadConfig(options)
  const { settings } = loaded
  ensureDataFolder(settings.dataDir)
  checkWritable(settings.dataDir)
  const log = createLog(settings.logLevel)
  for (const warning of loaded.warnings) log.warn({ warning }, 'configuration')
  const store = await openStore(storeAt(settings))
  let simulator: Simulator | null = null
  try {
    await ensureBuiltInAccounts(store)
    simulator = await startSimulatorFor(settings)
    return await serve(options, loaded, log, store, simulator)
  } catch (error) {
    await simulator?.close()
    await store.close()
    throw error
  }
}

async function serve(
  options: StartOptions,
  loaded: LoadedConfig,
  log: Logger,
  store: Store,
  simulator: Simulator | null,
): Promise<RunningGateway> {
  const { settings } = loaded
  const masterKey = masterKeyOf(settings)
  const pepper = await ensurePepper(store, settings.dataDir)
  const keyRing = createKeyRing(store, pepper, settings.billingMode === 'off' ? { billing: 'off' } : {})
  const accounts = createAccounts(store, { keyRing })
  const keys = createKeys(store, pepper, keyRing)
  const ledger = createLedger(store)
  await ledger.recover()
  const catalog = createCatalogSource(
    buildCatalog(settings, { simulatorUrl: simulator?.url ?? null, nowMs: Date.now() }),
  )
  const reloader = watchConfig(options, loaded, log, (next) => catalog.swap(catalogOf(next.settings, simulator)))
  const requestLog = createRequestLog(store, { onDrop: (count) => log.error({ count }, 'log rows were dropped') })
  const pools = new UpstreamPools({ connectMs: settings.timeouts.connectMs })
  const localCaller = settings.disableAuth ? localCallerOf(settings) : null
  const gateway: Gateway = {
    get settings() {
      return reloader.current.settings
    },
    catalog,
    keyRing,
    ledger,
    requestLog,
    pools,
    log,
    localCaller,
  }
  const active = new ActiveRequests()
  const app = createServer(createDataPlane(gateway, active))
  const gatewayUrl = (): string | null => reloader.current.settings.gatewayUrl
  registerControlPlane(app, {
    accounts,
    keys,
    keyRing,
    catalog,
    requests: createRequestReads(store, requestLog),
    log,
    localCaller,
    masterKey: masterKey.value,
    settings,
    version: packageFacts.version,
    gatewayUrl,
  })
  registerGeminiPaths(app)
  await app.listen({ host: settings.host, port: settings.port })
  const url = urlOf(app, settings)
  const recovery = recoverRegularly(store, ledger, log)
  return {
    url,
    gatewayUrl: gatewayUrl() ?? url,
    masterKey,
    firstKey: settings.disableAuth ? null : await createFirstKey(keys),
    providersFound: loaded.providersFound.map(({ name }) => name),
    modelCount: catalog.current.routes.size,
    simulator: simulator !== null,
    dataDir: settings.dataDir,
    async close() {
      clearInterval(recovery)
      reloader.close()
      app.server.closeIdleConnections()
      app.server.close()
      await active.drained(DRAIN_MS)
      app.server.closeAllConnections()
      await app.close()
      await requestLog.flush()
      await pools.close()
      await simulator?.close()
      await store.close()
    },
  }
}

/** One port for both planes: model traffic is taken first, everything else is the framework's. */
function createServer(takesModelTraffic: ReturnType<typeof createDataPlane>): FastifyInstance {
  return Fastify({
    logger: false,
    frameworkErrors: (error, request, reply) => sendError(request, reply, error),
    genReqId: () => id('req'),
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: true },
    forceCloseConnections: false,
    serverFactory: (handle) =>
      createHttpServer(
        { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
        (request, response) => {
          if (!takesModelTraffic(request, response)) handle(request, response)
        },
      ),
  })
}

async function startSimulatorFor(settings: Settings): Promise<Simulator | null> {
  if (!usesSimulator(settings)) return null
  const { startSimulator } = await import('#simulator/index.ts')
  return startSimulator({})
}

function usesSimulator(settings: Settings): boolean {
  return Object.values(settings.catalog.backends).some((backend) => backend.type === 'simulator')
}

function catalogOf(settings: Settings, simulator: Simulator | null) {
  if (usesSimulator(settings) && simulator === null) throw new Error('A first simulator backend needs a restart.')
  return buildCatalog(settings, { simulatorUrl: simulator?.url ?? null, nowMs: Date.now() })
}

function watchConfig(
  options: StartOptions,
  initial: LoadedConfig,
  log: Logger,
  apply: (next: LoadedConfig) => void,
): Reloader {
  const reloader = createReloader({
    initial,
    load: () => loadConfig(options),
    apply: (next) => {
      apply(next)
      log.info({ file: next.settings.configFile }, 'configuration reloaded')
    },
    rejected: (lines) => log.error({ lines }, 'the new configuration is not valid; the old one stays'),
    restartNeeded: (paths) => log.warn({ paths }, 'these settings need a restart'),
  })
  reloader.watch()
  const onHangup = () => reloader.reload()
  process.on('SIGHUP', onHangup)
  return {
    get current() {
      return reloader.current
    },
    reload: () => reloader.reload(),
    watch: () => reloader.watch(),
    close() {
      process.off('SIGHUP', onHangup)
      reloader.close()
    },
  }
}

function masterKeyOf(settings: Settings): RunningGateway['masterKey'] {
  if (settings.masterKey !== null) return { value: settings.masterKey, fresh: false }
  const file = join(settings.dataDir, 'secrets.json')
  let fresh = false
  const make = () => {
    fresh = true
    return `mk-${id('trivium')}-${crypto.randomUUID()}`
  }
  return { value: ensureSecret(file, 'master_key', make), fresh }
}

function localCallerOf(settings: Settings): Caller {
  const account = {
    id: LOCAL_ACCOUNT_ID,
    email: 'local@localhost',
    mode: 'postpaid',
    status: 'active',
    tier: 'free',
  } as const
  return { account, key: null, billing: settings.billingMode }
}

/** The very first start makes one key, so that the first request needs no second command. */
async function createFirstKey(keys: Keys): Promise<string | null> {
  const existing = await keys.list({ limit: 1, offset: 0, includeDisabled: true })
  if (existing.length > 0) return null
  return (await keys.create({ name: 'first key', accountId: OPERATOR_ACCOUNT_ID })).plaintext
}

function recoverRegularly(store: Store, ledger: RecoverableLedger, log: Logger): NodeJS.Timeout | undefined {
  if (store.engine === 'sqlite') return undefined
  const timer = setInterval(() => {
    ledger.recover().catch((error: unknown) => log.error({ err: error }, 'holds could not be recovered'))
  }, RECOVERY_INTERVAL_MS)
  return timer.unref()
}

function urlOf(app: FastifyInstance, settings: Settings): string {
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : settings.port
  const host = settings.host === '0.0.0.0' || settings.host === '::' ? '127.0.0.1' : settings.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
