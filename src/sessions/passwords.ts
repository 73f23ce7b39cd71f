import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

export const PASSWORD_LENGTH_MIN = 10
export const PASSWORD_LENGTH_MAX = 128

/** OWASP's parameters for scrypt with 32 MiB; about a tenth of a second off the event loop. */
const COST = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 } as const
const SALT_BYTES = 16
const DIGEST_BYTES = 32

/** `scrypt$N$r$p$salt$digest`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const digest = await derive(password, salt, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), digest.toString('base64url')].join('$')
}

/** Whether a password is the one of a hash; false for a text that is no hash of ours. */
export async function verifyPassword({ hash, password }: { hash: string; password: string }): Promise<boolean> {
  const [name, cost, block, lanes, salt, digest] = hash.split('$')
  if (name !== 'scrypt' || salt === undefined || digest === undefined) return false
  const known = Buffer.from(digest, 'base64url')
  const parameters = { N: Number(cost), r: Number(block), p: Number(lanes), maxmem: COST.maxmem }
  const given = await derive(password, Buffer.from(salt, 'base64url'), parameters)
  return known.length === given.length && timingSafeEqual(known, given)
}

/** NFKC, so that a password typed on another keyboard is the same one. */
function derive(password: string, salt: Buffer, parameters: object): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, DIGEST_BYTES, parameters, (error, digest) => {
      if (error) reject(error)
      else resolve(digest)
    })
  })
}
