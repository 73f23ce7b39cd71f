import type { Json, TestGateway } from './gateway.ts'

/** One operation of the gateway's own description of itself. */
export interface Operation {
  readonly method: string
  readonly path: string
  readonly guard: string
}

export async function operationsOf(gateway: Pick<TestGateway, 'ask'>): Promise<Operation[]> {
  const { json } = await gateway.ask('/api/openapi.json', { key: null })
  return Object.entries(json.paths as Record<string, Record<string, Json>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ method: method.toUpperCase(), path, guard: one['x-guard'] })),
  )
}
