import { buildCatalog } from '#catalog/catalog.ts'
import { publicCatalog } from '#catalog/listings/public-catalog.ts'
import { loadConfig } from '#config/load.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

/** The simulator is part of the program: without an address of its own its models would not count as callable. */
export const ANY_SIMULATOR_URL = 'http://simulator.invalid'

/** `trivium catalog list`: what this configuration offers to the public, with prices in USD per million tokens. */
export function listCatalog(run: Run): void {
  const { settings } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  const catalog = buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() })
  const listed = publicCatalog(catalog, { currency: settings.currency })
  if (run.json) return run.out(json(listed.data))
  const rows = listed.data.map((model) => [
    model.id,
    model.vendor,
    model.protocols.join(' '),
    model.context_window,
    model.pricing_profile?.input,
    model.pricing_profile?.output,
  ])
  run.out(table(['model', 'vendor', 'protocols', 'context', 'input', 'output'], rows))
}
