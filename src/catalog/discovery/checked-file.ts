import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { DISCOVERED_FOLDER, ensureDiscoveredFolder } from './discovered-file.ts'

/** What `trivium check-model` found, one file for all models: it lies where a running gateway watches for news (R121). */
export const CHECKED_FILE = 'checked.json'
/** A larger file was not written by us. */
export const CHECKED_BYTES_MAX = 16 * 1024 * 1024
/** Checks that are kept; the oldest go first. */
export const CHECKED_ENTRIES_MAX = 10_000

const entry = z.object({
  model: z.string().min(1),
  /** The group whose routes were asked. */
  group: z.string().min(1),
  /** Of the client: chat, responses, messages or gemini. */
  protocol: z.string().min(1),
  /** ISO 8601. */
  checked_at: z.string(),
  /** By the name of the probe: pass, fail or unsupported. */
  results: z.record(z.string(), z.string()),
})
const file = z.object({ checks: z.array(entry) })

/** The last check of one model on one client protocol in one group. */
export type Check = z.output<typeof entry>

const checkedPath = (dataDir: string): string => join(dataDir, DISCOVERED_FOLDER, CHECKED_FILE)

/** Empty when nothing was ever checked. Throws an Error that names the file when it cannot be used. */
export function readChecked(dataDir: string): readonly Check[] {
  const path = checkedPath(dataDir)
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return []
  if (found.size > CHECKED_BYTES_MAX) throw new Error(`${path}: larger than ${CHECKED_BYTES_MAX} bytes`)
  const read = file.safeParse(jsonOf(readFileSync(path, 'utf8')))
  if (!read.success) throw new Error(`${path}: not what check-model writes; delete it and check again`)
  return read.data.checks
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The shape is checked behind this, and this has none.
    return null
  }
}

/**
 * Puts new checks in the place of older ones of the same model, group and protocol. A file that cannot be used is replaced: all of
 * it can be found out again. A reader never sees half of one.
 */
export function writeChecked(dataDir: string, checks: readonly Check[]): void {
  const nameOf = ({ model, group, protocol }: Check): string => JSON.stringify([model, group, protocol])
  const isReplaced = new Set(checks.map(nameOf))
  const kept = readUsable(dataDir).filter((each) => !isReplaced.has(nameOf(each)))
  const all = [...kept, ...checks].slice(-CHECKED_ENTRIES_MAX)
  const path = checkedPath(dataDir)
  ensureDiscoveredFolder(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify({ checks: all })}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function readUsable(dataDir: string): readonly Check[] {
  try {
    return readChecked(dataDir)
  } catch {
    return []
  }
}
