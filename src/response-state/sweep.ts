import type { ResponseState } from './types.ts'

/** A response may outlive its time in the database by this much; it is unknown to clients from the first moment on. */
export const SWEEP_INTERVAL_MS = 10 * 60_000

/**
 * Deletes expired responses now and at every interval, never twice at a time. `onFailure` hears why one try went wrong;
 * the next one comes anyway. Gives the end of it.
 */
export function sweepRegularly(
  responses: Pick<ResponseState, 'sweep'>,
  onFailure: (cause: unknown) => void,
  intervalMs: number = SWEEP_INTERVAL_MS,
): () => void {
  let sweeping = false
  let stopped = false
  const sweep = async (): Promise<void> => {
    if (sweeping) return
    sweeping = true
    try {
      await responses.sweep(Date.now())
    } catch (cause) {
      // At the end of the process the store closes under it.
      if (!stopped) onFailure(cause)
    } finally {
      sweeping = false
    }
  }
  const timer = setInterval(sweep, intervalMs).unref()
  void sweep()
  return () => {
    stopped = true
    clearInterval(timer)
  }
}
