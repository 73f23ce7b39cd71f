import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** `.env` of the working directory under the real environment, which wins (R111). An empty variable counts as unset. */
export function readEnvironment(env: Environment, cwd: string): Environment {
  let file: Record<string, string | undefined> = {}
  try {
    file = parseEnv(readFileSync(join(cwd, '.env'), 'utf8'))
  } catch {
    // No readable .env: the environment alone counts.
  }
  const merged: Record<string, string | undefined> = { ...file }
  for (const [name, value] of Object.entries(env)) if (value !== undefined) merged[name] = value
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''))
}

/** 1/true/yes/on and 0/false/no/off in any case; undefined for anything else (R111). */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['1', 'true', 'yes', 'on'].includes(word)) return true
  if (['0', 'false', 'no', 'off'].includes(word)) return false
  return undefined
}

/** Plain decimal notation only; undefined for anything else, so that `0x10` or an empty text is no number. */
export function parseNumber(text: string): number | undefined {
  return /^[+-]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined
}

const REFERENCE = /\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

/**
 * `${VAR}` and `${VAR:-default}` replaced by the environment; `$${VAR}` stays as `${VAR}`.
 * `missing` collects names that are set nowhere and have no default.
 */
export function expandVariables(text: string, env: Environment, missing: string[]): string {
  return text.replace(REFERENCE, (whole, name: string, fallback: string | undefined) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    const value = env[name] ?? fallback
    if (value === undefined) missing.push(name)
    return value ?? ''
  })
}

/** `_API_KEY` and its numbered forms (R58): the numbered ones win over the plain one and rotate in order of their number. */
export function numberedKeys(env: Environment, name: string): { keys: string[]; plainIgnored: boolean } {
  const numbered = Object.keys(env)
    .filter((key) => key.startsWith(`${name}_`) && /^\d+$/.test(key.slice(name.length + 1)))
    .sort((left, right) => Number(left.slice(name.length + 1)) - Number(right.slice(name.length + 1)))
    .map((key) => env[key]!)
  const plain = env[name]
  if (numbered.length === 0) return { keys: plain === undefined ? [] : [plain], plainIgnored: false }
  return { keys: numbered, plainIgnored: plain !== undefined && !numbered.includes(plain) }
}
