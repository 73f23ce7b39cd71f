import type { Backend } from '#catalog/types.ts'
import { headersFor, readBytes } from './fetch-model-list.ts'

/** How long a provider may take to tell its endpoints. */
export const ENDPOINTS_WAIT_MS = 10_000

/** Whether the backend's provider serves a model by several others, and tells which. */
export const tellsEndpoints = ({ type, enabled }: Backend): boolean => enabled && type === 'openrouter'

/** The endpoints of one model at OpenRouter, as it wrote them (R105). Throws an Error whose message holds no secret. */
export async function fetchEndpoints(backend: Backend, upstreamModel: string): Promise<readonly unknown[]> {
  const path = upstreamModel.split('/').map(encodeURIComponent).join('/')
  const url = `${backend.apiUrl.replace(/\/+$/, '')}/models/${path}/endpoints`
  const limit = AbortSignal.timeout(ENDPOINTS_WAIT_MS)
  const bytes = await readBytes(url, await headersFor(backend, url, 'openai'), limit)
  const { data } = JSON.parse(bytes.toString()) as { data?: { endpoints?: unknown } }
  if (Array.isArray(data?.endpoints)) return data.endpoints
  throw new Error('its answer is no list of endpoints')
}
