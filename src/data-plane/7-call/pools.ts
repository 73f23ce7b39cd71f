import { type Dispatcher, Pool } from 'undici'

/** An idle upstream socket is kept this long: most providers close theirs after a minute. */
const IDLE_SOCKET_MS = 30_000

/** One pool of keep-alive connections per origin; they live as long as the gateway. */
export class UpstreamPools {
  private readonly pools = new Map<string, Pool>()
  private readonly connectMs: number

  constructor(options: { connectMs: number }) {
    this.connectMs = options.connectMs
  }

  for(origin: string): Dispatcher {
    let pool = this.pools.get(origin)
    if (!pool) {
      pool = new Pool(origin, {
        // Requests to a model are long and not idempotent: never two on one connection.
        pipelining: 1,
        connections: null,
        keepAliveTimeout: IDLE_SOCKET_MS,
        connect: { timeout: this.connectMs },
        // Our own limits have names and count content; undici's would cut long reasoning silences.
        headersTimeout: 0,
        bodyTimeout: 0,
        allowH2: false,
      })
      this.pools.set(origin, pool)
    }
    return pool
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()))
  }
}
