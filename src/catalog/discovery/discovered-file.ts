import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'

/**
 * What was accepted of an upstream's model list: one generated file per backend below the data folder. The configuration
 * file stands above it, and nothing but a sync writes it (R56).
 */
export const DISCOVERED_FOLDER = 'discovered'
/** A larger file was not written by us. */
export const DISCOVERED_BYTES_MAX = 16 * 1024 * 1024

const price = z.record(z.string(), z.string())
const entry = z.object({
  id: z.string().min(1),
  upstream_model: z.string().min(1),
  /** A model that vanished upstream is kept, inactive: it may come back, and its rows keep their meaning. */
  status: z.enum(['active', 'disabled']),
  name: z.string().optional(),
  context_window: z.number().optional(),
  max_output: z.number().optional(),
  capabilities: z.array(z.string()).optional(),
  input_modalities: z.array(z.string()).optional(),
  output_modalities: z.array(z.string()).optional(),
  price: price.optional(),
})
const file = z.object({ synced_at: z.string(), models: z.array(entry) })

export type DiscoveredEntry = z.output<typeof entry>

export interface DiscoveredFile {
  /** ISO 8601. */
  readonly synced_at: string
  readonly models: readonly DiscoveredEntry[]
}

/** The folder, made where it is missing, so that it can be watched before the first sync. */
export function ensureDiscoveredFolder(dataDir: string): string {
  const folder = join(dataDir, DISCOVERED_FOLDER)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

export const discoveredPath = (dataDir: string, backend: string): string =>
  join(dataDir, DISCOVERED_FOLDER, `${backend}.yaml`)

/** Null when the backend was never synced. Throws an Error that names the file when it cannot be used. */
export function readDiscovered(dataDir: string, backend: string): DiscoveredFile | null {
  const path = discoveredPath(dataDir, backend)
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return null
  if (found.size > DISCOVERED_BYTES_MAX) throw new Error(`${path}: larger than ${DISCOVERED_BYTES_MAX} bytes`)
  const read = file.safeParse(parse(readFileSync(path, 'utf8')))
  if (!read.success) throw new Error(`${path}: not what a sync writes; delete it and sync again`)
  return read.data
}

/** Puts a whole new file in the place of the old one, so that a reader never sees half of it. */
export function writeDiscovered(dataDir: string, backend: string, content: DiscoveredFile): void {
  const path = discoveredPath(dataDir, backend)
  ensureDiscoveredFolder(dataDir)
  const head = `# Written by 'trivium backends sync ${backend}'. The configuration file stands above it; do not edit.\n`
  writeFileSync(`${path}.new`, head + stringify(content), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
