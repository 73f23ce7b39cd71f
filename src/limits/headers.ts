import type { Level, Standing } from './limiter.ts'

/** Where limits stand, as headers: the tightest of each kind. `anthropic` adds the names that its SDKs know. */
export function limitHeaders(standing: Standing, anthropic: boolean, nowMs: number): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const kind of ['requests', 'tokens'] as const) {
    const level = standing[kind]
    if (level === null) continue
    headers[`x-ratelimit-limit-${kind}`] = String(level.limit)
    headers[`x-ratelimit-remaining-${kind}`] = String(level.remaining)
    headers[`x-ratelimit-reset-${kind}`] = durationText(level.resetMs)
    if (!anthropic) continue
    headers[`anthropic-ratelimit-${kind}-limit`] = String(level.limit)
    headers[`anthropic-ratelimit-${kind}-remaining`] = String(level.remaining)
    headers[`anthropic-ratelimit-${kind}-reset`] = new Date(nowMs + level.resetMs).toISOString()
  }
  if (standing.freeDay) Object.assign(headers, freeHeaders(standing.freeDay, nowMs))
  return headers
}

/** As OpenRouter writes them: the reset is a time in milliseconds since 1970. */
function freeHeaders({ limit, remaining, resetMs }: Level, nowMs: number): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(nowMs + resetMs),
  }
}

/** As OpenAI writes them: `1h2m3s`; below a second `20ms`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.ceil(ms))}ms`
  const seconds = Math.ceil(ms / 1000)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`
}
