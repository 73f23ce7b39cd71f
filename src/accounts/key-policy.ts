import { parseNetwork } from '#base/addresses.ts'
import { GatewayError } from '#base/errors.ts'
import type { KeyPolicy } from './types.ts'

/** Models, regions and promises of one key, each. */
export const DEMANDS_MAX = 200
export const DEMAND_CHARACTERS_MAX = 256
/** Models of a key's own chain: as many as any chain has (R68). */
export const KEY_FALLBACKS_MAX = 16

const NOTHING: KeyPolicy = { models: [], regions: [], dataPolicy: [], strictModel: false, ipAllow: [], ipDeny: [] }

/** As it is stored; a policy that demands nothing is stored as none. Throws 400 invalid_parameter. */
export function policyText(policy: KeyPolicy | null): string | null {
  if (policy === null) return null
  const models = distinct('model_whitelist', policy.models)
  const regions = distinct('regions', policy.regions)
  const dataPolicy = distinct('data_policy', policy.dataPolicy)
  const ipAllow = networks('ip_allow', policy.ipAllow)
  const ipDeny = networks('ip_deny', policy.ipDeny)
  const fallbacks = distinct('fallbacks', policy.fallbacks ?? [], KEY_FALLBACKS_MAX)
  const { strictModel, breakGlass = [], session } = policy
  const lists = [models, regions, dataPolicy, ipAllow, ipDeny, fallbacks, breakGlass]
  if (lists.every(({ length }) => length === 0) && !strictModel && !session) return null
  const more = {
    ...(fallbacks.length > 0 && { fallbacks }),
    ...(breakGlass.length > 0 && { breakGlass }),
    ...(session && { session }),
  }
  return JSON.stringify({ models, regions, dataPolicy, strictModel, ipAllow, ipDeny, ...more } satisfies KeyPolicy)
}

export const policyOf = (text: string | null): KeyPolicy | null =>
  text === null ? null : { ...NOTHING, ...(JSON.parse(text) as Partial<KeyPolicy>) }

function networks(param: string, texts: readonly string[]): readonly string[] {
  const kept = distinct(param, texts)
  const wrong = kept.find((text) => parseNetwork(text) === null)
  if (wrong === undefined) return kept
  const message = `'${param}' takes addresses and networks such as 203.0.113.0/24 or 2001:db8::/32.`
  throw new GatewayError('invalid_parameter', message, { param })
}

function distinct(param: string, names: readonly string[], max = DEMANDS_MAX): readonly string[] {
  const kept = [...new Set(names.map((name) => name.trim()))]
  const isTooLong = (name: string): boolean => name === '' || name.length > DEMAND_CHARACTERS_MAX
  if (kept.length <= max && !kept.some(isTooLong)) return kept
  const message = `'${param}' has at most ${max} names of 1 to ${DEMAND_CHARACTERS_MAX} characters.`
  throw new GatewayError('invalid_parameter', message, { param })
}
