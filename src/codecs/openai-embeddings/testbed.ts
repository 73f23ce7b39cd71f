import assert from 'node:assert/strict'
import { type ErrorCode, GatewayError } from '#base/errors.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import type { EmbeddingCodec, EncodedEmbeddings } from './translation.ts'

/** Drives the codecs of embeddings in tests. */

/** What an upstream whose model is called `up` gets, with what it does not get. */
export function encoded(codec: EmbeddingCodec, request: EmbeddingRequest): EncodedEmbeddings & { losses: Loss[] } {
  const losses = new Losses()
  return { ...codec.encodeRequest(request, { model: 'up' }, losses), losses: losses.list }
}

/** This is refused with this code, and the client is told which of its members is at fault. */
export function assertRefused(run: () => unknown, code: ErrorCode, param?: string): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GatewayError, String(error))
    assert.deepEqual([error.code, error.status, error.details.param], [code, 400, param])
    return true
  })
}
