import { ROUTING_KEYS } from './feature-schema.ts'
import { normaliseIdentity } from './identity.ts'
import type { Merged, Values } from './merge.ts'
import type { ConfigFile } from './schema.ts'

/** Empty sections count as absent, and the reference's settings inside `backends` move to where we keep them (R112, C11). */
export function normalise(values: Values, errors: string[]): Values {
  const result = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
  moveToRouting(result, errors)
  if (result['identity'] !== undefined) result['identity'] = normaliseIdentity(result['identity'], 'identity', errors)
  const backends = result['backends']
  if (typeof backends !== 'object' || Array.isArray(backends)) return result
  const { default_backend: inner, reasoning_injection_probability: probability, ...rest } = backends as Values
  const outer = result['default_backend']
  if (inner !== undefined && outer !== undefined && inner !== outer) {
    errors.push(`default_backend: "${String(outer)}" conflicts with backends.default_backend "${String(inner)}"`)
  }
  if (inner !== undefined) result['default_backend'] = inner
  if (probability !== undefined) {
    result['routing'] = { reasoning_injection_probability: probability, ...(result['routing'] as Values | undefined) }
  }
  if (Object.keys(rest).length > 0) result['backends'] = normaliseBackends(rest, errors)
  else delete result['backends']
  return result
}

/** Settings of `routing` that other documents write at the top level. */
function moveToRouting(values: Values, errors: string[]): void {
  for (const key of ROUTING_KEYS) {
    if (values[key] === undefined) continue
    const routing = (values['routing'] ?? {}) as Values
    if (routing[key] !== undefined && routing[key] !== values[key]) {
      errors.push(`${key}: "${String(values[key])}" conflicts with routing.${key} "${String(routing[key])}"`)
    }
    values['routing'] = { ...routing, [key]: values[key] }
    delete values[key]
  }
}

function normaliseBackends(backends: Values, errors: string[]): Values {
  return Object.fromEntries(
    Object.entries(backends).map(([id, entry]) => {
      if (typeof entry !== 'object' || entry === null || !('identity' in entry)) return [id, entry]
      return [id, { ...entry, identity: normaliseIdentity(entry.identity, `backends.${id}.identity`, errors) }]
    }),
  )
}

/** The built-in default backend (R42), where it is configured. */
const DEFAULT_BACKEND = 'openai'

export function addDefaultBackend(file: ConfigFile, { values, sources }: Merged): void {
  if (file.default_backend !== undefined || file.backends?.[DEFAULT_BACKEND] === undefined) return
  file.default_backend = DEFAULT_BACKEND
  values['default_backend'] = DEFAULT_BACKEND
  sources['default_backend'] = 'default'
}
