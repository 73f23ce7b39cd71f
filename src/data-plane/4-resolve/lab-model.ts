import type { Catalog } from '#catalog/types.ts'

/** Stands for every model whose name asks for a fault. */
const CARRIER = 'test/echo'
const FAULT_MODEL = /^(?:sim|test|mock)\/fault-([\w=-]{1,100})$/
const MOCK = 'mock/'

/** The id behind `mock/x`: `test/x`, else `sim/x`. Null for all others, and where no simulator runs. */
export function nameOfMock(catalog: Catalog, id: string): string | null {
  if (!id.startsWith(MOCK)) return null
  const bare = id.slice(MOCK.length)
  return [`test/${bare}`, `sim/${bare}`].find((name) => catalog.models.has(name)) ?? null
}

/** What a name such as `sim/fault-429` asks to go wrong, and the model that carries it; null for all other names. */
export function carriedFault(
  catalog: Catalog,
  id: string,
): { readonly carrier: string; readonly fault: string } | null {
  const fault = FAULT_MODEL.exec(id)?.[1]
  return fault !== undefined && catalog.models.has(CARRIER) ? { carrier: CARRIER, fault } : null
}
