import { GatewayError } from '#base/errors.ts'

/** Tries in ATTEMPT_WINDOW_MS, for each address and for each e-mail address that is named (S25). */
export const ATTEMPTS_MAX = 10
export const ATTEMPT_WINDOW_MS = 60_000
/** Addresses and names that are remembered; the one that tried longest ago goes first. */
export const ATTEMPTERS_MAX = 10_000

/** What neither guesses a secret nor makes an account nor sends a mail. Every other spelling counts, however odd. */
const FREE =
  /^\/api\/auth\/(sign-out|revoke-(session|sessions|other-sessions)|update-user|organization\/(?!invite)[a-z-]+|passkey\/(delete|update)-passkey)$/

/** Whether a request counts as a try. */
export const isAttempt = (method: string, path: string): boolean => method !== 'GET' && !FREE.test(path)

/** Counts tries in a sliding window. One process: several behind one address each count for themselves. */
export class Attempts {
  readonly #times = new Map<string, number[]>()

  /** Counts one try of everybody who is named. Throws GatewayError('rate_limit_exceeded') with the seconds to wait. */
  count(names: readonly string[], nowMs: number): void {
    const since = nowMs - ATTEMPT_WINDOW_MS
    let waitMs = 0
    for (const name of names) {
      const recent = (this.#times.get(name) ?? []).filter((time) => time > since)
      if (recent.length >= ATTEMPTS_MAX) waitMs = Math.max(waitMs, recent[0]! + ATTEMPT_WINDOW_MS - nowMs)
      else recent.push(nowMs)
      // Written again, so that the map keeps the order of the last try.
      this.#times.delete(name)
      if (this.#times.size >= ATTEMPTERS_MAX) this.#times.delete(this.#times.keys().next().value!)
      this.#times.set(name, recent)
    }
    if (waitMs === 0) return
    throw new GatewayError('rate_limit_exceeded', 'Too many tries. Wait a minute.', {
      retryAfterSeconds: Math.ceil(waitMs / 1000),
    })
  }
}
