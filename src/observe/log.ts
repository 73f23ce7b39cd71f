import { mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino, type Logger } from 'pino'

/** A secret that reached a log line by mistake is cut here; prompts and completions are never passed to a logger (R20, R101). */
const SECRET_PATHS = ['authorization', 'api_key', 'apiKey', 'key', 'headers.authorization', 'headers["x-api-key"]']

/**
 * JSON lines on standard error, or at the end of `file`; standard output is for what people read at the start. Throws when
 * the file cannot be opened.
 */
export function createLog(level: string, file: string | null = null): Logger {
  if (file !== null) mkdirSync(dirname(file), { recursive: true })
  const fd = file === null ? 2 : openSync(file, 'a', 0o600)
  return pino(
    { level, base: null, redact: { paths: SECRET_PATHS, censor: '****' }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd, sync: false }),
  )
}
