import { randomBytes } from 'node:crypto'
import { parseExactJson } from '#base/exact-json.ts'
import { loadConfig } from '#config/load.ts'
import type { Settings } from '#config/types.ts'
import { openStore, type Store } from '#store/store.ts'
import { CliError } from './failure.ts'
import type { Run } from './program.ts'
import { checkWritable, ensureDataFolder } from '#store/data-folder.ts'
import { storeAt } from '#store/location.ts'

/** The management API, of a running gateway or of the data folder itself: one set of rules either way. */
export interface Administration extends AsyncDisposable {
  /** The answer's JSON. Throws CliError with the gateway's own message when it refuses. */
  call<T = unknown>(method: string, path: string, body?: Record<string, unknown>): Promise<T>
}

interface RawAnswer {
  readonly status: number
  readonly text: string
}

type Send = (method: string, path: string, body: string | undefined) => Promise<RawAnswer>

/** How long a gateway may take for one management call. */
export const ADMINISTRATION_WAIT_MS = 15_000

/**
 * Works through the gateway when GATEWAY_URL and GATEWAY_MASTER_KEY name one, otherwise on the data folder, which no other
 * process may have open.
 */
export async function openAdministration(run: Run): Promise<Administration> {
  const { settings, sources } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  const isTold = (path: string): boolean => sources[path] === 'env' || sources[path] === 'flag'
  const { gatewayUrl, masterKey } = settings
  if (gatewayUrl !== null && masterKey !== null && isTold('server.gateway_url') && isTold('auth.master_key')) {
    return administrationOver(sendTo(gatewayUrl, masterKey), async () => {})
  }
  return openDataFolder(settings)
}

function administrationOver(send: Send, close: () => Promise<void>): Administration {
  return {
    async call<T>(method: string, path: string, body?: Record<string, unknown>): Promise<T> {
      const { status, text } = await send(method, path, body && JSON.stringify(body))
      if (status < 300) return JSON.parse(text) as T
      throw new CliError(refusalText(status, text))
    },
    [Symbol.asyncDispose]: close,
  }
}

function refusalText(status: number, text: string): string {
  try {
    const { error } = parseExactJson(text, new Set()) as { error: { message: string } }
    return String(error.message)
  } catch {
    return `the gateway answers ${status}`
  }
}

function sendTo(root: string, masterKey: string): Send {
  return async (method, path, body) => {
    try {
      const answer = await fetch(root + path, {
        method,
        headers: { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(ADMINISTRATION_WAIT_MS),
      })
      return { status: answer.status, text: await answer.text() }
    } catch (thrown) {
      const { message, cause } = thrown as Error
      throw new CliError(
        `the gateway at ${root} cannot be reached: ${cause instanceof Error ? cause.message : message}`,
      )
    }
  }
}

/** The same routes over the opened store, without a socket; the master key lives as long as the command. */
async function openDataFolder(settings: Settings): Promise<Administration> {
  const store = await openOwnStore(settings)
  try {
    const { mountAdministration } = await import('./mount-administration.ts')
    const masterKey = randomBytes(32).toString('hex')
    const app = await mountAdministration(store, settings, masterKey)
    const send: Send = async (method, url, body) => {
      const headers = { authorization: `Bearer ${masterKey}` }
      const request = { method: method as 'GET', url, headers }
      const answer = await app.inject(body === undefined ? request : { ...request, payload: body })
      return { status: answer.statusCode, text: answer.body }
    }
    return administrationOver(send, async () => {
      await app.close()
      await store.close()
    })
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

async function openOwnStore(settings: Settings): Promise<Store> {
  try {
    ensureDataFolder(settings.dataDir)
    checkWritable(settings.dataDir)
    return await openStore(storeAt(settings))
  } catch (thrown) {
    if (!(thrown instanceof Error) || !/in use by another/.test(thrown.message)) throw thrown
    throw new CliError(
      `a running gateway has the data folder ${settings.dataDir}; set GATEWAY_URL and GATEWAY_MASTER_KEY to work through it.`,
    )
  }
}
