import type { Settings } from '#config/types.ts'

const AUTHORITY = /^(?:[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i

/**
 * The origin a client came by, for printing base URLs when GATEWAY_URL is not set. The Host header is the client's own
 * word: anything that is no plain host and port falls back to the listen address (R10).
 */
export function originOf(scheme: string, host: string | undefined, settings: Pick<Settings, 'host' | 'port'>): string {
  const authority = host !== undefined && AUTHORITY.test(host) ? host : listenAuthority(settings)
  return `${scheme === 'https' ? 'https' : 'http'}://${authority}`
}

function listenAuthority({ host, port }: Pick<Settings, 'host' | 'port'>): string {
  if (host === '0.0.0.0' || host === '::') return `localhost:${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The gateway's root and what each kind of client takes as its base URL (S0, C1). */
export function baseUrls(root: string): { openai: string; anthropic: string; gemini: string; openrouter: string } {
  return { openai: `${root}/v1`, anthropic: root, gemini: root, openrouter: `${root}/api/v1` }
}
