import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The recordings, played by the server that stands beside them: an exchange answers the request whose text names it. */

const CORPUS = new URL('../../../shared/corpus/', import.meta.url)

/** One line of the recordings' index. */
export interface ReplayLine {
  readonly id: string
  readonly file: string
  readonly provider: string
  readonly protocol: string
  readonly endpoint: string
  readonly stream: boolean
  readonly status: number
  readonly features: readonly string[]
  readonly synthetic_request?: boolean
}

/** What the provider said, in its own terms. */
export interface ReplaySummary {
  readonly text?: string | null
  readonly tool_calls?: readonly { readonly name: string | null }[] | null
  readonly usage?: { readonly input?: number; readonly output?: number; readonly cache_read?: number } | null
}

export interface ReplayExchange {
  readonly request: { readonly path: string; readonly body?: unknown }
  readonly response: { readonly sse?: string; readonly base64?: string }
  readonly summary?: ReplaySummary
}

/** One request as the replay server saw it. */
export interface Replayed {
  readonly id: string | null
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly json?: Readonly<Record<string, unknown>>
  /** What does not fit the recording: operation, method, whether it streams. */
  readonly mismatch?: readonly string[]
}

export interface Replay {
  readonly url: string
  readonly received: readonly Replayed[]
  close(): Promise<void>
}

interface ReplayModule {
  createReplay(options: { readonly dir: string }): {
    readonly received: readonly Replayed[]
    listen(): Promise<number>
    close(): Promise<void>
  }
}

export async function startReplay(): Promise<Replay> {
  const { createReplay } = (await import(new URL('replay.mjs', CORPUS).href)) as ReplayModule
  const server = createReplay({ dir: fileURLToPath(new URL('dev/', CORPUS)) })
  const port = await server.listen()
  return { url: `http://127.0.0.1:${port}`, received: server.received, close: () => server.close() }
}

/** What makes the replay server answer with an exchange, somewhere in the text of a request. */
export const markerOf = (id: string): string => `[[replay:${id}]]`

export const replayIndex = (): ReplayLine[] => readJson('dev/index.json') as ReplayLine[]

export const replayExchange = ({ file }: ReplayLine): ReplayExchange => readJson(`dev/${file}`) as ReplayExchange

const readJson = (file: string): unknown => JSON.parse(readFileSync(new URL(file, CORPUS), 'utf8'))
