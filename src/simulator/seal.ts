import { createHash } from 'node:crypto'

const DIGEST_BYTES = 16

const digest = (text: string | Buffer): Buffer =>
  createHash('sha256').update('simulator').update(text).digest().subarray(0, DIGEST_BYTES)

/** A signature over a reasoning text: 32 bytes as base64 that the simulator recognises when it is replayed. */
export function sealOf(text: string): string {
  const body = digest(text)
  return Buffer.concat([body, digest(body)]).toString('base64')
}

/**
 * Whether a replayed seal is one of ours, byte for byte, and over this text when the text came back with it. The real
 * issuers refuse an altered signature too, so a gateway that damages one is found out here (B3).
 */
export function isSeal(seal: string, text: string | null): boolean {
  if (text !== null) return seal === sealOf(text)
  const bytes = Buffer.from(seal, 'base64')
  const body = bytes.subarray(0, DIGEST_BYTES)
  return bytes.length === 2 * DIGEST_BYTES && digest(body).equals(bytes.subarray(DIGEST_BYTES))
}
