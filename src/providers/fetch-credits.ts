import { request } from 'undici'
import { costText, type NanoUsd, reportedUsd } from '#base/money.ts'
import type { Backend } from '#catalog/types.ts'
import { buildProbeRequest } from './probe-request.ts'

const CREDITS_MS_MAX = 10_000
const CREDITS_BYTES_MAX = 64 * 1024

/** What OpenRouter sells in advance, and what of it is used. */
export interface FetchedCredits {
  readonly credential: number
  readonly boughtNano: NanoUsd
  readonly leftNano: NanoUsd
}

/** Asks an OpenRouter backend for the credit of each of its keys (R98). Rejects with an Error that says what went wrong. */
export async function fetchCredits(backend: Backend, signal?: AbortSignal): Promise<FetchedCredits[]> {
  return Promise.all(
    backend.credentials.map(async (text, credential) => {
      const { data } = await ask({ ...backend, credentials: [text] }, signal)
      const [bought, used] = [costText(data?.total_credits), costText(data?.total_usage)]
      if (bought === undefined || used === undefined) throw new Error(`${backend.id}: its credits cannot be read`)
      const boughtNano = reportedUsd(bought)
      return { credential, boughtNano, leftNano: boughtNano - reportedUsd(used) }
    }),
  )
}

interface CreditsAnswer {
  readonly data?: { readonly total_credits?: unknown; readonly total_usage?: unknown }
}

async function ask(backend: Backend, signal: AbortSignal | undefined): Promise<CreditsAnswer> {
  const { origin, path, headers } = buildProbeRequest(backend, '/credits')
  const timeout = AbortSignal.timeout(CREDITS_MS_MAX)
  const { statusCode, body } = await request(origin + path, {
    method: 'GET',
    headers,
    signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
  })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`${backend.id}: status ${statusCode} for its credits`)
  }
  let text = ''
  for await (const chunk of body.setEncoding('utf8')) {
    text += chunk as string
    if (text.length > CREDITS_BYTES_MAX) throw new Error(`${backend.id}: the answer about its credits is too long`)
  }
  return JSON.parse(text) as CreditsAnswer
}
