import type { Caller } from '#accounts/types.ts'
import type { Catalog } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Selection } from './selection.ts'

/** Model strings that are kept of one caller, some hundred bytes each; a client that writes more of them has the rest looked up each time. */
export const KNOWN_STRINGS_MAX = 16
/** A longer one is not kept. */
export const KNOWN_CHARACTERS_MAX = 256

interface Known {
  readonly catalog: Catalog
  readonly settings: Settings
  readonly selections: Map<string, Selection>
}

// Callers, catalogs and settings are immutable pictures: a change is another object, and what was known of the old one goes with it.
const known = new WeakMap<Caller, Known>()

/** What this caller's model strings mean, as long as nothing that decides it changes. */
export function knownSelections({ catalog, settings }: Gateway, caller: Caller): Map<string, Selection> {
  const kept = known.get(caller)
  if (kept && kept.catalog === catalog.current && kept.settings === settings) return kept.selections
  const selections = new Map<string, Selection>()
  known.set(caller, { catalog: catalog.current, settings, selections })
  return selections
}

/** Keeps it while there is room. */
export function keepSelection(selections: Map<string, Selection>, text: string, selection: Selection): void {
  if (selections.size < KNOWN_STRINGS_MAX && text.length <= KNOWN_CHARACTERS_MAX) selections.set(text, selection)
}
