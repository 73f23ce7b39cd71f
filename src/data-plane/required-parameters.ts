import { type Availability, GatewayError } from '#base/errors.ts'
import type { Loss } from '#ir/extensions.ts'

/** OpenRouter's wish that nothing of a request is left out (openrouter-api.md): who cannot take all of it is passed by. */
export const requiresParameters = (provider: Readonly<Record<string, unknown>> | null | undefined): boolean =>
  provider?.['require_parameters'] === true

/** A member of the body, or of one of its objects; what stands deeper is a detail of one, as the name of a format. */
const PARAMETER = /^\/([^/]+)(?:\/[^/]+)?$/
/** Not about how the model answers: the conversation, and where the request goes. */
const OTHERS: ReadonlySet<string> = new Set([
  'messages',
  'input',
  'contents',
  'system',
  'systemInstruction',
  'system_instruction',
  'instructions',
  'transforms',
  'plugins',
])

const isParameter = (path: string): boolean => {
  const name = PARAMETER.exec(path)?.[1]
  return name !== undefined && !OTHERS.has(name)
}

/** Throws `no_backend_meets_policy` for a target that would leave out what the request says; `requested` is the model as written. */
export function requireAll(losses: readonly Loss[], requested: string): void {
  const dropped = losses.find(({ action, path }) => action === 'dropped' && isParameter(path))
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
