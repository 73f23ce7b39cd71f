import { leaves, type Merged } from './merge.ts'

/**
 * Settings that are read, checked and shown while nothing acts on them yet: `--help` and the reference mark them, and a
 * start that is given one says so. A place in the file, with all below it; `[]` and `*` stand for any entry.
 */
export const PENDING: readonly string[] = [
  'portal.port',
  'portal.catalog_cache_seconds',
  'portal.catalog_route_groups',
  'portal.catalog_overrides_path',
  'usage_tracking.persistence_path',
  'usage_tracking.flush_interval_seconds',
  'usage_tracking.max_records_in_memory',
  'models[].free_tier.threshold',
]

const PATTERNS = PENDING.map((path) => {
  const source = path.replaceAll('.', '\\.').replaceAll('[]', '\\[\\d+\\]').replaceAll('*', '[^.]+')
  return { path, pattern: new RegExp(`^${source}($|[.[])`) }
})

/** Whether nothing acts on the setting at this place yet. */
export const isPending = (path: string): boolean => PATTERNS.some(({ pattern }) => pattern.test(path))

/** One line for each pending setting that somebody gave a value. */
export function pendingWarnings({ values, sources }: Pick<Merged, 'values' | 'sources'>): string[] {
  const given: string[] = []
  for (const [path, value] of leaves(values)) {
    // An empty block says nothing.
    if (sources[path] !== 'default' && !(typeof value === 'object' && value !== null)) given.push(path)
  }
  return PATTERNS.filter(({ pattern }) => given.some((path) => pattern.test(path))).map(
    ({ path }) => `${path}: accepted, but not yet in effect`,
  )
}
