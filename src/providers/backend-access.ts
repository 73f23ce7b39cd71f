import type { AwsAccess, Backend } from '#catalog/types.ts'
import { Renewable } from './access-token.ts'
import { fetchAwsKeys } from './aws-credentials.ts'
import type { AccessSource } from './cloud.ts'
import { fetchEntraToken } from './entra-token.ts'
import { fetchGoogleToken } from './google-token.ts'

/** What one request is sent with: a bearer or key as text, or keys that sign it. */
export interface Access {
  readonly credential: string | null
  readonly aws: AwsAccess | null
}

const renewables = new WeakMap<Backend, Renewable<Access>>()

/** The credential of a backend that has to be fetched; null for all those whose credential is written down. */
export function renewableAccess(backend: Backend): Renewable<Access> | null {
  const { access } = backend
  if (!access) return null
  let renewable = renewables.get(backend)
  if (!renewable) renewables.set(backend, (renewable = new Renewable(() => fetchAccess(access))))
  return renewable
}

async function fetchAccess(access: AccessSource): Promise<{ value: Access; expiresAtMs: number }> {
  if (access.kind === 'aws') {
    const { value, expiresAtMs } = await fetchAwsKeys(access.source)
    return { value: { credential: null, aws: { region: access.region, ...value } }, expiresAtMs }
  }
  const { value, expiresAtMs } =
    access.kind === 'entra' ? await fetchEntraToken(access) : await fetchGoogleToken(access)
  return { value: { credential: value, aws: null }, expiresAtMs }
}
