/**
 * The bare Node proxy that every ratio of the bench is held against (R123): node:http in front, undici's
 * `Pool.dispatch` behind, no logic at all. It pipes the answer piece by piece, pauses the upstream while the client
 * is slow and cancels it when the client leaves.
 *
 *   node bench/baseline/proxy.ts --upstream http://127.0.0.1:PORT     prints `listening PORT`
 */
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { parseArgs } from 'node:util'
import { Pool, type Dispatcher } from 'undici'

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'upgrade', 'te'])

function forward(pool: Pool, request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  let controller: Dispatcher.DispatchController | undefined
  response.on('close', () => {
    if (!response.writableFinished) controller?.abort(new Error('client left'))
  })
  response.on('drain', () => controller?.resume())
  pool.dispatch(
    {
      method: request.method as Dispatcher.HttpMethod,
      path: request.url ?? '/',
      headers: {
        'content-type': request.headers['content-type'] ?? 'application/json',
        authorization: request.headers.authorization ?? '',
      },
      body: body.length > 0 ? body : null,
    },
    {
      onRequestStart(started) {
        controller = started
      },
      onResponseStart(_, status, headers) {
        const kept: OutgoingHttpHeaders = {}
        for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name]
        response.writeHead(status, kept)
      },
      onResponseData(_, piece) {
        if (!response.write(piece)) controller?.pause()
      },
      onResponseEnd() {
        response.end()
      },
      onResponseError() {
        if (!response.headersSent) response.writeHead(502).end()
        else response.destroy()
      },
    },
  )
}

/** Starts the proxy on a free loopback port and resolves with the port. */
export function startProxy(upstreamUrl: string): Promise<number> {
  const pool = new Pool(upstreamUrl, { pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 })
  const server = createServer({ noDelay: true }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => forward(pool, request, response, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)))
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(address !== null && typeof address === 'object' ? address.port : 0)
    })
  })
}

if (import.meta.main) {
  // The bench holds the other end of this pipe: when it dies, however it dies, this process ends with it.
  if (process.env['BENCH_CHILD']) process.stdin.resume().on('end', () => process.exit())
  const { values } = parseArgs({ options: { upstream: { type: 'string' } } })
  if (!values.upstream) throw new Error('usage: node bench/baseline/proxy.ts --upstream URL')
  console.log(`listening ${await startProxy(values.upstream)}`)
}
