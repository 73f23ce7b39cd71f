import { backendObjects } from './admin-backends.ts'
import type { Answer, Call, MasterActor } from './call.ts'
import { targetStatsOf } from './reader.ts'
import { statsObject } from './stats-object.ts'

/** `GET /v1/diagnostics`: what an operator looks at first, each backend with its health and what was measured of it (R109). */
export async function readDiagnostics(call: Call<MasterActor>): Promise<Answer> {
  const { deps } = call
  const { routes, models } = deps.catalog.current
  const stats = await targetStatsOf(call)
  const measuredOf = (backendId: string): Record<string, unknown> => {
    const served = [...routes.values()].flat().filter(({ backend }) => backend.id === backendId)
    const known = served.flatMap(({ model }) => {
      const figures = stats?.ofTarget(model.id, backendId)
      return figures ? [[model.id, statsObject(figures)] as const] : []
    })
    return Object.fromEntries(known)
  }
  const { active, readOn } = deps.traffic()
  return {
    body: {
      version: deps.version,
      accounting: deps.analytics !== null,
      models: models.size,
      requests: { active, read_on: readOn },
      backends: backendObjects(call).map((backend) => ({ ...backend, measured: measuredOf(String(backend['id'])) })),
    },
  }
}
