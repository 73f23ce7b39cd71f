import type { Logger } from 'pino'
import { GatewayError } from '#base/errors.ts'
import { managedPath, managedRoute, type ManagedRoute } from '#config/managed-routes.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { ManagedRoutes } from '#control-plane/call.ts'
import type { Store } from '#store/store.ts'

/** Routes of the API (R64): part of the composition root. They stand in the database and become part of the configuration. */

const SETTING = 'managed_routes'

/** How often a gateway on a shared database looks for what another one changed. */
export const ROUTES_INTERVAL_MS = 5000

/** The list, and its text as it stands in the database. */
export interface StoredRoutes {
  readonly text: string | null
  readonly routes: readonly ManagedRoute[]
}

/** The routes that a store holds; entries that this version cannot read are left out. */
export async function readManagedRoutes(store: Store): Promise<StoredRoutes> {
  const row = await store.read.selectFrom('settings').select('value').where('name', '=', SETTING).executeTakeFirst()
  if (!row) return { text: null, routes: [] }
  const listed = JSON.parse(row.value) as unknown[]
  const routes = listed.flatMap((entry) => managedRoute.safeParse(entry).data ?? [])
  return { text: row.value, routes }
}

export interface ManagedRoutesOptions {
  readonly store: Store
  readonly initial: StoredRoutes
  /** Reads the configuration with these routes. */
  readonly load: (routes: readonly ManagedRoute[]) => LoadedConfig
  /** Takes the configuration over with the routes that are current now. */
  readonly reload: () => void
  readonly log: Logger
}

export function createManagedRoutes({ store, initial, load, reload, log }: ManagedRoutesOptions): ManagedRoutes & {
  /** Follows what other nodes change; gives its end. */
  follow(): () => void
} {
  let { text, routes } = initial
  const take = (next: StoredRoutes): void => {
    ;({ text, routes } = next)
    reload()
  }
  return {
    get current() {
      return routes
    },
    async replace(next, changedId) {
      if (changedId !== null) refuseFaults(load(next).warnings, managedPath(changedId))
      const value = JSON.stringify(next)
      const swapped = await store.execute('swapSetting', { name: SETTING, from: text, value, nowMs: Date.now() })
      if (!swapped) {
        take(await readManagedRoutes(store))
        throw new GatewayError(
          'state_conflict',
          'The routes were changed by somebody else; look at them and try again.',
        )
      }
      take({ text: value, routes: next })
    },
    follow() {
      if (store.engine === 'sqlite') return () => undefined
      const look = async (): Promise<void> => {
        const stored = await readManagedRoutes(store)
        if (stored.text !== text) take(stored)
      }
      const timer = setInterval(() => {
        look().catch((err: unknown) => log.error({ err }, 'the routes of the database could not be read'))
      }, ROUTES_INTERVAL_MS).unref()
      return () => clearInterval(timer)
    },
  }
}

function refuseFaults(warnings: readonly string[], path: string): void {
  const fault = warnings.find((warning) => warning.startsWith(path))
  if (fault === undefined) return
  const [, param = '', reason = fault] = /^managed route [^.:]+\.?([^:]*): (.*)$/s.exec(fault) ?? []
  throw new GatewayError('invalid_parameter', `This route cannot be served: ${reason}.`, param === '' ? {} : { param })
}
