import type { Backend, BackendProbe } from '#catalog/types.ts'
import { buildProbeRequest } from '#providers/probe-request.ts'
import type { Gateway } from './gateway.ts'

/** Begins to probe, and gives its end. */
export function probeRegularly(gateway: Probing): () => void {
  const probes = new BackendProbes(gateway)
  const timer = setInterval(() => probes.tick(), TICK_MS).unref()
  return () => clearInterval(timer)
}

type Probing = Pick<Gateway, 'catalog' | 'health' | 'pools' | 'log'>

/** How often the probes that are due are looked for. */
const TICK_MS = 1000

interface Probed {
  /** A reload makes another backend of the same name: it begins anew. */
  readonly backend: Backend
  /** In a row. */
  failures: number
  /** Monotonic; Infinity while a probe is under way. */
  dueAt: number
}

/**
 * Active health (R71): asks the backends whose operator wants it, again and again, whether they answer at all. One that does not
 * is left out before any request is lost to it, and comes back with its first answer.
 */
class BackendProbes {
  private readonly gateway: Probing
  private readonly probed = new Map<string, Probed>()

  constructor(gateway: Probing) {
    this.gateway = gateway
  }

  tick(): void {
    const { backends } = this.gateway.catalog.current
    for (const id of this.probed.keys()) if (!backends.get(id)?.probe) this.forget(id)
    const now = performance.now()
    for (const backend of backends.values()) {
      if (!backend.probe || !backend.enabled) continue
      let probed = this.probed.get(backend.id)
      if (probed?.backend !== backend)
        this.probed.set(backend.id, (probed = { backend, failures: probed?.failures ?? 0, dueAt: now }))
      if (now >= probed.dueAt) void this.probe(probed, backend.probe)
    }
  }

  private forget(id: string): void {
    this.probed.delete(id)
    this.gateway.health.setDown(id, false)
  }

  private async probe(probed: Probed, { path, intervalMs, timeoutMs, failuresMax }: BackendProbe): Promise<void> {
    const { id } = probed.backend
    const startedAt = performance.now()
    probed.dueAt = Infinity
    const isUp = await this.answers(probed.backend, path, timeoutMs)
    probed.dueAt = startedAt + intervalMs
    if (this.probed.get(id) !== probed) return
    const wasDown = probed.failures >= failuresMax
    probed.failures = isUp ? 0 : probed.failures + 1
    const isDown = probed.failures >= failuresMax
    this.gateway.health.setDown(id, isDown)
    if (isDown !== wasDown)
      this.gateway.log[isDown ? 'warn' : 'info']({ backend: id }, `the probe says: ${isDown ? 'down' : 'up again'}`)
  }

  /** Whoever refuses is there: what it says of a credential is for the requests themselves to find out. */
  private async answers(backend: Backend, path: string | null, timeoutMs: number): Promise<boolean> {
    const { origin, ...request } = buildProbeRequest(backend, path)
    const pool = this.gateway.pools.for(origin, backend.timeouts.connectMs)
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      const { statusCode, body } = await pool.request({ ...request, origin, method: 'GET', signal })
      await body.dump()
      return statusCode < 500
    } catch {
      return false
    }
  }
}
