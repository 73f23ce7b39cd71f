import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from './gateway.ts'

/** Somebody who is told of alerts over HTTP. */
export interface Receiver {
  readonly url: string
  readonly got: { readonly headers: Record<string, string>; readonly body: string; readonly json: Json }[]
  /** Whether the signature of a delivery is that of this secret, and not older than five minutes. */
  isGenuine(delivery: Receiver['got'][number], secret: string, nowMs: number): boolean
  close(): void
}

/** How old a delivery may be, as docs/api.md tells receivers. */
export const REPLAY_WINDOW_MS = 5 * 60_000

export async function startReceiver(): Promise<Receiver> {
  const got: Receiver['got'] = []
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    got.push({ headers: request.headers as Record<string, string>, body, json: JSON.parse(body) })
    response.writeHead(200).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    got,
    isGenuine({ headers, body }, secret, nowMs) {
      const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-trivium-signature'] ?? '') ?? []
      if (seconds === undefined || Math.abs(nowMs - Number(seconds) * 1000) > REPLAY_WINDOW_MS) return false
      return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex') === digest
    },
    close: () => void server.close(),
  }
}
