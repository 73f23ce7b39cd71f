import { ConfigError, loadConfig, type LoadedConfig } from '#config/load.ts'
import { printJson, printYaml } from '#config/print.ts'
import { failureLines } from './failure.ts'
import { json } from './output.ts'
import type { Run } from './program.ts'

/** `trivium config check`: exit 0 when the configuration is valid, else one line per problem. */
export function checkConfig(run: Run): number {
  let loaded: LoadedConfig
  try {
    loaded = load(run)
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    if (run.json) run.out(json({ ok: false, errors: thrown.lines, warnings: [] }))
    else for (const line of failureLines(thrown)) run.error(line)
    return 1
  }
  const { settings, warnings } = loaded
  if (run.json) {
    run.out(json({ ok: true, file: settings.configFile, errors: [], warnings }))
    return 0
  }
  for (const warning of warnings) run.error(`trivium: warning: ${warning}`)
  run.out(`The configuration is valid (${settings.configFile ?? 'no file: defaults and environment'}).`)
  return 0
}

/** `trivium config print`: every effective leaf with its source; secrets masked (R112). */
export function printConfig(run: Run): void {
  const loaded = load(run)
  run.out(run.json ? json(printJson(loaded)) : printYaml(loaded).trimEnd())
}

const load = (run: Run): LoadedConfig => loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
