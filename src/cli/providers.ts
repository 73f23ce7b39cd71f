import { PRESETS, SERVED_ADAPTERS } from '#providers/presets.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

/** `trivium providers list`: the built-in providers, the variable that holds each key, and whether it is set. */
export function listProviders(run: Run): void {
  const providers = PRESETS.map((preset) => {
    const variables = preset.envPrefixes.map((prefix) => `${prefix}_API_KEY`)
    return {
      type: preset.type,
      label: preset.label,
      api_url: preset.apiUrl,
      protocols: preset.protocols,
      env: variables,
      key_set: variables.some((name) => Boolean(run.env[name]) || Boolean(run.env[`${name}_1`])),
      served: SERVED_ADAPTERS.has(preset.adapter),
    }
  })
  if (run.json) return run.out(json(providers))
  const rows = providers.map((one) => [
    one.type,
    one.label,
    one.env[0],
    one.key_set,
    one.protocols.join(' '),
    one.api_url,
  ])
  run.out(table(['type', 'provider', 'variable', 'set', 'protocols', 'base url'], rows))
}
