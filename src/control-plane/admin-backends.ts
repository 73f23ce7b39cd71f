import type { Backend } from '#catalog/types.ts'
import type { TargetHealth } from '#health/target-health.ts'
import type { Answer, Call, MasterActor } from './call.ts'

/** `GET /api/admin/backends`: what is configured; of a credential only whether it is there and where it comes from. */
export function listBackends(call: Call<MasterActor>): Answer {
  return { body: { data: backendObjects(call) } }
}

export const backendObjects = ({ deps }: Call): Record<string, unknown>[] =>
  [...deps.catalog.current.backends.values()].map((backend) => backendObject(backend, deps.health))

function backendObject(backend: Backend, health: Pick<TargetHealth, 'describe'>): Record<string, unknown> {
  return {
    id: backend.id,
    type: backend.type,
    protocols: backend.protocols,
    enabled: backend.enabled,
    credential: {
      state: credentialState(backend),
      count: backend.credentials.length,
      source: backend.credentialSource,
    },
    health: health.describe(backend),
  }
}

function credentialState(backend: Backend): string {
  if (backend.access) return 'fetched'
  if (backend.aws) return 'set'
  if (backend.auth === 'none') return 'not_needed'
  return backend.credentials.length > 0 ? 'set' : 'missing'
}
