import type { Settings } from './types.ts'

/**
 * The settings that hold now. A class and no literal: V8 keeps a literal with a getter as a hash table, and every request
 * looks at the object that this becomes dozens of times.
 */
export class LiveSettings {
  private readonly current: () => Settings

  constructor(current: () => Settings) {
    this.current = current
  }

  get settings(): Settings {
    return this.current()
  }
}
