import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

interface Listener {
  onData(chunk: Buffer): void
  onEnd(): void
  onError(): void
}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Unpacks an upstream that compresses although it was asked not to. One encoding only: chains are an attack (S17). */
export class BodyDecoder {
  private readonly stream: Transform

  private constructor(stream: Transform, listener: Listener) {
    this.stream = stream
    stream.on('data', (chunk: Buffer) => listener.onData(chunk))
    stream.on('end', () => listener.onEnd())
    stream.on('error', () => listener.onError())
  }

  /** Null when the encoding is not known. */
  static for(encoding: string, listener: Listener): BodyDecoder | null {
    const name = encoding.trim().toLowerCase()
    return Object.hasOwn(DECODERS, name) ? new BodyDecoder(DECODERS[name]!(), listener) : null
  }

  write(chunk: Buffer): void {
    this.stream.write(chunk)
  }

  end(): void {
    this.stream.end()
  }
}
