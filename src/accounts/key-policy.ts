import { GatewayError } from '#base/errors.ts'
import type { KeyPolicy } from './types.ts'

/** Models, regions and promises of one key, each. */
export const DEMANDS_MAX = 200
export const DEMAND_CHARACTERS_MAX = 256

const NOTHING: KeyPolicy = { models: [], regions: [], dataPolicy: [], strictModel: false }

/** As it is stored; a policy that demands nothing is stored as none. Throws 400 invalid_parameter. */
export function policyText(policy: KeyPolicy | null): string | null {
  if (policy === null) return null
  const models = distinct('model_whitelist', policy.models)
  const regions = distinct('regions', policy.regions)
  const dataPolicy = distinct('data_policy', policy.dataPolicy)
  const { strictModel, breakGlass = [] } = policy
  if (models.length + regions.length + dataPolicy.length + breakGlass.length === 0 && !strictModel) return null
  const glass = breakGlass.length > 0 ? { breakGlass } : {}
  return JSON.stringify({ models, regions, dataPolicy, strictModel, ...glass } satisfies KeyPolicy)
}

export const policyOf = (text: string | null): KeyPolicy | null =>
  text === null ? null : { ...NOTHING, ...(JSON.parse(text) as Partial<KeyPolicy>) }

function distinct(param: string, names: readonly string[]): readonly string[] {
  const kept = [...new Set(names.map((name) => name.trim()))]
  const isTooLong = (name: string): boolean => name === '' || name.length > DEMAND_CHARACTERS_MAX
  if (kept.length <= DEMANDS_MAX && !kept.some(isTooLong)) return kept
  const message = `'${param}' has at most ${DEMANDS_MAX} names of 1 to ${DEMAND_CHARACTERS_MAX} characters.`
  throw new GatewayError('invalid_parameter', message, { param })
}
