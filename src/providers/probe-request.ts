import type { Backend } from '#catalog/types.ts'
import { baseOf, pushCredential, type UpstreamRequest } from './upstream-request.ts'

/** A GET that costs nothing and shows whether a backend answers (R71). `path` is behind its base; null: the list of its models. */
export function buildProbeRequest(backend: Backend, path: string | null): UpstreamRequest {
  const protocol = backend.protocols[0] ?? 'openai-chat'
  const base = baseOf(backend, protocol)
  const headers = ['accept', 'application/json', 'accept-encoding', 'identity']
  pushCredential(headers, backend, backend.credentials[0] ?? null)
  if (protocol === 'anthropic-messages') headers.push('anthropic-version', '2023-06-01')
  for (const [name, value] of Object.entries(backend.headers)) headers.push(name, value)
  return { origin: base.origin, path: base.path + (path ?? MODELS_PATHS[protocol] ?? '/models'), headers }
}

const MODELS_PATHS: Readonly<Record<string, string>> = {
  'anthropic-messages': '/v1/models',
  gemini: '/v1beta/models',
}
