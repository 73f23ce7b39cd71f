import { existsSync, readFileSync } from 'node:fs'
import type { Surface } from '#base/protocols.ts'

/**
 * The recorded traffic of other people, which stands beside this project and is no part of it. Its README says what
 * `summary` means: the provider's own terms, and the exceptions.
 */

const FOLDER = new URL('../../../shared/corpus/dev/', import.meta.url)

const SURFACES: Readonly<Record<string, Surface>> = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'openai-embeddings': 'openai-embeddings',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
}

export interface RecordedUsage {
  readonly input?: number
  readonly output?: number
  readonly cache_read?: number
  readonly cache_write?: number
  readonly reasoning?: number
  readonly tool_input?: number
  readonly total?: number
}

export interface Recording {
  readonly id: string
  readonly surface: Surface
  /** The request's bytes; null when nothing but its answer was recorded. */
  readonly request: Buffer | null
  readonly status: number
  /** The streamed answer, with LF line ends; null when it came whole. */
  readonly events: string | null
  /** The whole answer; null when it was streamed or is no JSON. */
  readonly answer: Buffer | null
  readonly finish: string | null
  readonly usage: RecordedUsage | null
}

interface Exchange {
  readonly request: { readonly body?: unknown; readonly body_raw?: string }
  readonly response: {
    readonly status: number
    readonly body?: unknown
    readonly body_raw?: string
    readonly sse?: string
  }
  readonly summary?: { readonly finish?: unknown; readonly usage?: RecordedUsage | null }
}

/** Why the recordings cannot be read; false when they can. On CI their absence is a failure, not a reason. */
export const ABSENCE: string | false =
  existsSync(FOLDER) || process.env['CI'] ? false : 'the recorded traffic is not on this machine'

/** The recordings that a surface of ours speaks. */
export function loadRecordings(): Recording[] {
  const index = read('index.json') as { id: string; file: string; protocol: string }[]
  return index.flatMap(({ id, file, protocol }) => {
    const surface = SURFACES[protocol]
    return surface ? [recordingOf(id, surface, read(file) as Exchange)] : []
  })
}

function recordingOf(id: string, surface: Surface, { request, response, summary }: Exchange): Recording {
  const finish = summary?.finish ?? null
  return {
    id,
    surface,
    request: bytesOf(request.body_raw, request.body),
    status: response.status,
    events: response.sse?.replaceAll('\r\n', '\n') ?? null,
    answer: bytesOf(response.body_raw, response.body),
    finish: finish === null ? null : String(finish),
    usage: summary?.usage ?? null,
  }
}

function bytesOf(raw: string | undefined, value: unknown): Buffer | null {
  if (raw !== undefined) return Buffer.from(raw)
  return value === undefined ? null : Buffer.from(JSON.stringify(value))
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
