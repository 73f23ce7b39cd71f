import { buildCatalog } from '#catalog/catalog.ts'
import type { Backend } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import { fetchModelList } from '#providers/fetch-model-list.ts'
import { ANY_SIMULATOR_URL } from './catalog.ts'
import type { Finding } from './doctor-checks.ts'

/** One provider has to answer within this, so that a doctor is done while somebody waits. */
export const PROVIDER_WAIT_MS = 10_000

/**
 * Asks every enabled backend for its model list, all at once: it answers, and it takes the key. What has no key is named by
 * the check of the backends, what has no list is not asked (R109).
 */
export async function checkProviders(settings: Settings, waitMs = PROVIDER_WAIT_MS): Promise<Finding> {
  const { backends } = buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() })
  const asked = [...backends.values()].filter(isAsked)
  const answers = await Promise.all(asked.map((backend) => ask(backend, waitMs)))
  const problems = answers.filter((answer) => answer !== null)
  const detail = `${asked.length - problems.length} of ${asked.length} answer`
  if (problems.length > 0) return { failed: true, status: 'failed', detail, problems }
  return { failed: false, status: asked.length > 0 ? 'ok' : 'skipped', detail, problems: [] }
}

function isAsked({ enabled, type, auth, credentials, aws, access, cloud }: Backend): boolean {
  const hasNoList = cloud?.kind === 'vertex' || (cloud?.kind === 'azure' && cloud.isModelInference === true)
  if (!enabled || type === 'simulator' || hasNoList) return false
  const hasKey = credentials.length > 0 || aws !== null || access !== undefined
  return auth === 'none' || hasKey
}

/** One line that tells the fault and what to do; null when there is none. */
async function ask(backend: Backend, waitMs: number): Promise<string | null> {
  try {
    await fetchModelList(backend, { pageMs: waitMs })
    return null
  } catch (thrown) {
    const { message } = thrown as Error
    const status = /status (\d{3})$/.exec(message)?.[1]
    const hint =
      HINTS[status ?? ''] ?? (status === undefined ? 'is its api_url right, and can it be reached from here?' : '')
    const source = backend.credentialSource ?? `backends.${backend.id}.api_key`
    return hint === '' ? message : `${message}; ${hint.replace('%', source)}`
  }
}

const HINTS: Readonly<Record<string, string>> = {
  401: 'the provider refuses the key from %',
  403: 'the key from % may not do this',
  404: 'there is no model list at its api_url',
  429: 'the provider asks for patience; try again later',
}
