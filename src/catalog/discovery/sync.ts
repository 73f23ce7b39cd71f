import type { DiscoveredEntry, DiscoveredFile } from './discovered-file.ts'
import type { DiscoveredModel } from './discovered-model.ts'

/** What an upstream's list would change. */
export interface Proposal {
  readonly id: string
  readonly change: 'new' | 'changed' | 'returned' | 'vanished'
  readonly model: DiscoveredEntry
}

/** The differences between what was accepted before and what the upstream lists now; what is the same is no proposal. */
export function proposalsOf(listed: readonly DiscoveredModel[], before: DiscoveredFile | null): Proposal[] {
  const known = new Map((before?.models ?? []).map((model) => [model.id, model]))
  const proposals: Proposal[] = []
  for (const model of listed) {
    const entry = { ...structuredClone(model), status: 'active' } as DiscoveredEntry
    const old = known.get(model.id)
    known.delete(model.id)
    if (old === undefined) proposals.push({ id: model.id, change: 'new', model: entry })
    else if (old.status === 'disabled') proposals.push({ id: model.id, change: 'returned', model: entry })
    else if (canonical(old) !== canonical(entry)) proposals.push({ id: model.id, change: 'changed', model: entry })
  }
  for (const model of known.values()) {
    if (model.status === 'active')
      proposals.push({ id: model.id, change: 'vanished', model: { ...model, status: 'disabled' } })
  }
  return proposals
}

/** The file with the accepted proposals in it; nothing is ever taken out. */
export function applyProposals(
  before: DiscoveredFile | null,
  accepted: readonly Proposal[],
  syncedAt: string,
): DiscoveredFile {
  const models = new Map((before?.models ?? []).map((model) => [model.id, model]))
  for (const { id, model } of accepted) models.set(id, model)
  const sorted = [...models.values()].sort((left, right) => (left.id < right.id ? -1 : 1))
  return { synced_at: syncedAt, models: sorted }
}

/** The same entry is the same text, whatever the order of its members. */
const canonical = (entry: DiscoveredEntry): string =>
  JSON.stringify(Object.entries(entry).sort(([left], [right]) => (left < right ? -1 : 1)))
