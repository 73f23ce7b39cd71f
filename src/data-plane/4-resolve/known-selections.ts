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
  readonly settings: Settings
  readonly selections: Map<string, Selection>
}

// Callers, catalogs and settings are immutable pictures: a change is another object. By catalog first, so that a caller who is idle keeps
// no catalog that was replaced.
const known = new WeakMap<Catalog, WeakMap<Caller, Known>>()

/** What this caller's model strings mean, as long as nothing that decides it changes. */
export function knownSelections({ catalog, settings }: Gateway, caller: Caller): Map<string, Selection> {
  let callers = known.get(catalog.current)
  if (!callers) known.set(catalog.current, (callers = new WeakMap()))
  const kept = callers.get(caller)
  if (kept?.settings === settings) return kept.selections
  const selections = new Map<string, Selection>()
  callers.set(caller, { settings, selections })
  return selections
}

/** Keeps it while there is room. */
export function keepSelection(selections: Map<string, Selection>, text: string, selection: Selection): void {
  if (selections.size < KNOWN_STRINGS_MAX && text.length <= KNOWN_CHARACTERS_MAX) selections.set(text, selection)
}
