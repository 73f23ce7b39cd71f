import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ensureDataFolder } from '#store/data-folder.ts'
import type { Store } from '#store/store.ts'

const SECRET_BYTES = 32
const OWNER_ONLY = 0o600

/**
 * The pepper of all key digests, made once. With SQLite it lives in `secrets.json` beside the database and not inside
 * it, so a stolen dump alone does not even allow to test a guessed key; a backup needs both files. PostgreSQL serves
 * several nodes that share no folder, so there it is a row of the settings table: digests of 256 random bits stay
 * out of reach even for who reads both.
 */
export async function ensurePepper(store: Store, dataDir: string): Promise<string> {
  if (store.engine === 'sqlite') return ensureSecret(path.join(dataDir, 'secrets.json'), 'key_pepper')
  const fresh = randomBytes(SECRET_BYTES).toString('hex')
  return store.execute('putSetting', { name: 'key_pepper', value: fresh, nowMs: Date.now() })
}

/** A named secret of a JSON file that only its owner may read; made at first use. Throws on a file that is no JSON object. */
export function ensureSecret(
  file: string,
  name: string,
  make = () => randomBytes(SECRET_BYTES).toString('hex'),
): string {
  const secrets = readSecrets(file)
  const known = secrets[name]
  if (known !== undefined) return known
  const fresh = make()
  writeSecrets(file, { ...secrets, [name]: fresh })
  return fresh
}

/** Whether a named secret was made. */
export const hasSecret = (file: string, name: string): boolean => readSecrets(file)[name] !== undefined

function readSecrets(file: string): Record<string, string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw cause
  }
  // A file restored from a backup may have lost its mode.
  chmodSync(file, OWNER_ONLY)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    // A new pepper would silently end every key, and the file's text must not reach a log.
    throw new Error(`The file ${file} is damaged. Restore it from a backup; every API key depends on it.`)
  }
  return parsed as Record<string, string>
}

/** Written beside and renamed, so that a crash leaves the old file or the new one. */
function writeSecrets(file: string, secrets: Record<string, string>): void {
  ensureDataFolder(path.dirname(file))
  const draft = `${file}.new`
  const handle = openSync(draft, 'w', OWNER_ONLY)
  try {
    writeSync(handle, `${JSON.stringify(secrets, null, 2)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(draft, file)
}
