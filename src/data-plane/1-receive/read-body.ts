import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { deadlines, type Watched } from '#base/deadlines.ts'
import { GatewayError } from '#base/errors.ts'

/** A client that sends its body slower than this holds a socket for nothing (attack S15). */
export const BODY_WAIT_MS = 60_000

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/**
 * Reads the whole body, decoded, up to `bytesMax` bytes after decoding: a bomb is cut where it passes the bound, not
 * after it was unpacked. Throws GatewayError: request_too_large, unsupported_encoding, invalid_request, request_timeout.
 */
export function readBody(request: IncomingMessage, bytesMax: number, waitMs: number = BODY_WAIT_MS): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) return Promise.reject(tooLarge(bytesMax))
  const encoding = (request.headers['content-encoding'] ?? '').trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return collect(request, request, bytesMax, waitMs)
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding]!() : null
  if (!decoder) {
    const known = Object.keys(DECODERS).join(', ')
    const message = `Content-Encoding "${encoding.slice(0, 40)}" is not supported; one of ${known} is.`
    return Promise.reject(new GatewayError('unsupported_encoding', message))
  }
  request.pipe(decoder)
  return collect(request, decoder, bytesMax, waitMs).finally(() => {
    request.unpipe(decoder)
    decoder.destroy()
    request.resume()
  })
}

function collect(
  request: IncomingMessage,
  source: NodeJS.ReadableStream,
  bytesMax: number,
  waitMs: number,
): Promise<Buffer> {
  return new Promise((accept, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const limit: Watched = {
      place: -1,
      deadlineAt: performance.now() + waitMs,
      onExpiry: () => finish(new GatewayError('request_timeout', `The body did not arrive within ${waitMs / 1000} s.`)),
    }
    const finish = (error: GatewayError | null) => {
      deadlines.unwatch(limit)
      if (error) {
        source.removeListener('data', onData)
        source.removeListener('end', onEnd)
        request.removeListener('close', onClose)
        // Whatever still arrives is drained, so that the client can read the refusal.
        request.resume()
        reject(error)
      } else accept(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes))
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > bytesMax) finish(tooLarge(bytesMax))
      else chunks.push(chunk)
    }
    const onEnd = () => finish(null)
    // A body that was read to its end may still be in the decoder when its socket closes; one that was not, ends no more.
    const onClose = () => {
      if (!request.readableEnded) finish(leftEarly())
    }
    // It closed while its caller was looked up, and does not say so again.
    if (request.destroyed) return finish(leftEarly())
    source.on('data', onData)
    source.on('end', onEnd)
    // A late error of a socket that is being drained must not end the process: the listener stays.
    source.on('error', () => finish(new GatewayError('invalid_request', 'The body could not be read or decoded.')))
    request.on('close', onClose)
    deadlines.watch(limit)
  })
}

const leftEarly = (): GatewayError =>
  new GatewayError('invalid_request', 'The connection ended before the body was complete.')

function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError('request_too_large', `The body is larger than ${bytesMax} bytes.`)
}
