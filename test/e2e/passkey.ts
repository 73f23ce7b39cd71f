import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** An authenticator in software: ES256, no attestation, as WebAuthn Level 2 writes its bytes. */
export interface Passkey {
  readonly id: Buffer
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  register(challenge: string): object
  answer(challenge: string): object
}

/** With `like` the same credential at another origin: what a page of a stranger gets out of it. */
export function createPasskey(rpId: string, origin: string, like?: Passkey): Passkey {
  const keys = like?.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = like?.id ?? randomBytes(32)
  const rpHash = createHash('sha256').update(rpId).digest()
  let counter = 0
  const clientData = (type: string, challenge: string): Buffer =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }))
  const head = (flags: number): Buffer => {
    const count = Buffer.alloc(4)
    count.writeUInt32BE(++counter)
    return Buffer.concat([rpHash, Buffer.from([flags]), count])
  }
  const wrap = (response: object): object => ({
    id: id.toString('base64url'),
    rawId: id.toString('base64url'),
    type: 'public-key',
    clientExtensionResults: {},
    response,
  })
  return {
    id,
    keys,
    register(challenge) {
      const { x, y } = keys.publicKey.export({ format: 'jwk' }) as { x: string; y: string }
      // COSE: kty EC2, alg ES256, curve P-256, then both coordinates.
      const cose = Buffer.concat([
        Buffer.from('a5010203262001215820', 'hex'),
        Buffer.from(x, 'base64url'),
        Buffer.from('225820', 'hex'),
        Buffer.from(y, 'base64url'),
      ])
      const length = Buffer.alloc(2)
      length.writeUInt16BE(id.length)
      const data = Buffer.concat([
        head(USER_PRESENT | USER_VERIFIED | HAS_CREDENTIAL),
        Buffer.alloc(16),
        length,
        id,
        cose,
      ])
      const attestation = Buffer.concat([
        Buffer.from([0xa3]),
        text('fmt'),
        text('none'),
        text('attStmt'),
        Buffer.from([0xa0]),
        text('authData'),
        Buffer.from([0x58, data.length]),
        data,
      ])
      return wrap({
        clientDataJSON: clientData('webauthn.create', challenge).toString('base64url'),
        attestationObject: attestation.toString('base64url'),
        transports: ['internal'],
      })
    },
    answer(challenge) {
      const client = clientData('webauthn.get', challenge)
      const data = head(USER_PRESENT | USER_VERIFIED)
      const signed = Buffer.concat([data, createHash('sha256').update(client).digest()])
      return wrap({
        clientDataJSON: client.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: sign('sha256', signed, keys.privateKey).toString('base64url'),
      })
    },
  }
}

const USER_PRESENT = 1
const USER_VERIFIED = 4
const HAS_CREDENTIAL = 64

/** A CBOR text of fewer than 24 bytes. */
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)])
