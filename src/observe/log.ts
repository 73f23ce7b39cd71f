import { pino, type Logger } from 'pino'

/** A secret that reached a log line by mistake is cut here; prompts and completions are never passed to a logger (R20, R101). */
const SECRET_PATHS = ['authorization', 'api_key', 'apiKey', 'key', 'headers.authorization', 'headers["x-api-key"]']

/** JSON lines on standard error; standard output is for what people read at the start. */
export function createLog(level: string): Logger {
  return pino(
    { level, base: null, redact: { paths: SECRET_PATHS, censor: '****' }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false }),
  )
}
