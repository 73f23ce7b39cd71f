import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher, Pool } from 'undici'

/** An idle upstream socket is kept this long: most providers close theirs after a minute. */
const IDLE_SOCKET_MS = 30_000

/** The socket that carries a request, as far as an error has to be judged by it. */
export interface Carrier {
  readonly socket: Socket | null
  /** Requests that this socket has carried. */
  carried: number
}

/** A request that wants to know its carrier, before it begins. */
export interface Carried {
  carrier: Carrier | null
}

/** One pool of keep-alive connections per origin and limit of its connecting (R76); they live as long as the gateway. */
export class UpstreamPools {
  private readonly pools = new Map<number, Map<string, Pool>>()
  private readonly single = new Set<Client>()

  /** A connection has `connectMs` to be made; 0: as long as it takes. */
  for(origin: string, connectMs: number): Dispatcher {
    let ofLimit = this.pools.get(connectMs)
    if (!ofLimit) this.pools.set(connectMs, (ofLimit = new Map()))
    let pool = ofLimit.get(origin)
    if (!pool) {
      const factory = (url: URL, options: object): Dispatcher => new ToldClient(url, options as ClientOptions)
      pool = new Pool(origin, { ...optionsFor(connectMs), connections: null, factory })
      ofLimit.set(origin, pool)
    }
    return pool
  }

  /** Sends one request over a connection that nothing was sent over before, and that ends with it. */
  dispatchFresh(request: UpstreamCall, handler: Dispatcher.DispatchHandler): void {
    const client = new Client(request.origin, optionsFor(request.connectMs))
    this.single.add(client)
    client.dispatch(request, handler)
    void client.close().finally(() => this.single.delete(client))
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()].flatMap((ofLimit) => [...ofLimit.values()])
    await Promise.all([...pools, ...this.single].map((each) => each.destroy()))
  }
}

const optionsFor = (connectMs: number): Client.Options => ({
  // Requests to a model are long and not idempotent: never two on one connection.
  pipelining: 1,
  keepAliveTimeout: IDLE_SOCKET_MS,
  connect: { timeout: connectMs },
  // Our own limits have names and count content; undici's would cut long reasoning silences.
  headersTimeout: 0,
  bodyTimeout: 0,
  allowH2: false,
})

/** A request that can be sent again, wherever it went. */
export interface UpstreamCall extends Dispatcher.DispatchOptions {
  readonly origin: string
  readonly connectMs: number
}

/** What a pool gives the clients it makes. */
type ClientOptions = Client.Options & { readonly connect: buildConnector.connector }

/** A connection that tells each request which socket carries it. */
class ToldClient extends Client {
  private readonly carrier: Carrier

  constructor(url: URL, options: ClientOptions) {
    const carrier: { socket: Socket | null; carried: number } = { socket: null, carried: 0 }
    super(url, {
      ...options,
      connect: (target, done) =>
        options.connect(target, (...result) => {
          carrier.socket = result[1]
          carrier.carried = 0
          done(...result)
        }),
    })
    this.carrier = carrier
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler & Partial<Carried>,
  ): boolean {
    if (handler.carrier === null) handler.carrier = this.carrier
    return super.dispatch(options, handler)
  }
}
