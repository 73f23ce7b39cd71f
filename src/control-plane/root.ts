import type { Answer, Call } from './call.ts'
import { baseUrls } from './origin.ts'
import { renderIndex } from './page.ts'

export const PROGRAM_NAME = 'trivium'

/** `GET /`: the page for people, the root and its base URLs for programs (R10, R117). */
export function readRoot(call: Call): Answer {
  const root = call.deps.gatewayUrl() ?? call.origin
  // The same path has two forms, and both name the host the client came by.
  const headers = { vary: 'accept, host', 'cache-control': 'no-cache' }
  if (!wantsHtml(call.headers['accept'])) {
    const { version } = call.deps
    return { headers, body: { name: PROGRAM_NAME, version, gateway_url: root, base_urls: baseUrls(root) } }
  }
  const page = renderIndex({ root, version: call.deps.version })
  return { headers: { ...headers, ...page.headers }, body: page.body }
}

/** `GET /health`: this process answers. */
export const readHealth = (): Answer => ({ headers: { 'cache-control': 'no-store' }, body: { status: 'ok' } })

/** Browsers name text/html; curl and SDKs send a bare wildcard or JSON. */
const wantsHtml = (accept: string | readonly string[] | undefined): boolean =>
  String(accept ?? '').includes('text/html')
