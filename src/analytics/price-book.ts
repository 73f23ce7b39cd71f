import { splitVersion, withAccountFactor } from '#base/factors.ts'
import type { Catalog, Price } from '#catalog/types.ts'
import type { Command } from '#store/command.ts'
import { runAll, statement, step } from '#store/statement.ts'
import type { Store } from '#store/store.ts'

/** A version is a digest of its numbers, so that one that is there already is the same (B6). */
interface KeptPrice {
  readonly version: string
  readonly numbers: string
}

/** Prices of one command. */
const PRICES_AT_ONCE = 100

const insertPrice = statement<'version' | 'numbers' | 'now'>()((db, param) =>
  db
    .insertInto('prices')
    .values({ version: param('version'), numbers: param('numbers'), first_seen_ms: param('now') })
    .onConflict((conflict) => conflict.column('version').doNothing()),
)

/** Keeps prices for receipts; those that are known stay as they are. */
export const savePrices: Command<{ prices: readonly KeptPrice[]; nowMs: number }, null> = {
  *work({ prices, nowMs }) {
    yield* runAll(prices.map((price) => step(insertPrice, { ...price, now: nowMs })))
    return null
  },
  accounts: () => [],
  repeatable: true,
}

/** Keeps every price of a catalog, so that a receipt can be explained after the price has changed. */
export async function keepPrices(store: Store, catalog: Catalog, nowMs: number): Promise<void> {
  const prices = new Map<string, KeptPrice>()
  for (const route of [...catalog.routes.values()].flat())
    if (route.price) prices.set(route.price.version, { version: route.price.version, numbers: textOf(route.price) })
  const all = [...prices.values()]
  for (let at = 0; at < all.length; at += PRICES_AT_ONCE)
    await store.execute('savePrices', { prices: all.slice(at, at + PRICES_AT_ONCE), nowMs })
}

/** Prices by their versions, with the factor of the account that paid; one that was never seen is missing. */
export async function findPrices({ read }: Store, versions: readonly string[]): Promise<ReadonlyMap<string, Price>> {
  if (versions.length === 0) return new Map()
  const wanted = versions.map((version) => ({ name: version, ...splitVersion(version) }))
  const found = await read
    .selectFrom('prices')
    .select(['version', 'numbers'])
    .where('version', 'in', [...new Set(wanted.map(({ version }) => version))])
    .execute()
  const prices = new Map(found.map(({ version, numbers }) => [version, priceOf(numbers)]))
  return new Map(
    wanted.flatMap(({ name, version, account }) => {
      const price = prices.get(version)
      return price ? [[name, withAccountFactor(price, account)] as const] : []
    }),
  )
}

const textOf = (price: Price): string =>
  JSON.stringify(price, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

const AMOUNT = /^\d+n$/

const priceOf = (text: string): Price =>
  JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' && AMOUNT.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as Price
