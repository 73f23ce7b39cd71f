import { type Availability, GatewayError } from '#base/errors.ts'
import type { Loss } from '#ir/extensions.ts'

/** OpenRouter's wish that nothing of a request is left out (openrouter-api.md): who cannot take all of it is passed by. */
export const requiresParameters = (provider: Readonly<Record<string, unknown>> | null | undefined): boolean =>
  provider?.['require_parameters'] === true

/** Members about routing are no parameters of a model. */
const ROUTING_PATHS: ReadonlySet<string> = new Set(['/transforms', '/plugins'])

/** Throws `no_backend_meets_policy` for a target that would leave out what the request says; `requested` is the model as written. */
export function requireAll(losses: readonly Loss[], requested: string): void {
  const dropped = losses.find(({ action, path }) => action === 'dropped' && !ROUTING_PATHS.has(path))
  if (!dropped) return
  const param = dropped.path.slice(1).replaceAll('/', '.')
  const message = `No backend supports all that the request says: "${param}": ${dropped.reason}.`
  const availability: Availability = {
    code: 'constraint_filtered',
    excludedBy: ['require_parameters'],
    constraint: { field: 'require_parameters', detail: param },
  }
  throw new GatewayError('no_backend_meets_policy', message, {
    param,
    availability,
    requestedModels: [requested.slice(0, 100)],
  })
}
