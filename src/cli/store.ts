import type { Settings } from '#config/types.ts'
import { storeAt } from '#store/location.ts'
import { openStore, type Store } from '#store/store.ts'

/** Opens the store that a configuration names; rejects as `openStore` does. */
export function openSettingsStore(settings: Settings): Promise<Store> {
  return openStore(storeAt(settings))
}
