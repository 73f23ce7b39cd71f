import type { Settings } from './types.ts'

/** What follows the settings of a running gateway. */
interface Live {
  readonly settings: Settings
}

class LiveSettings implements Live {
  private readonly current: () => Settings

  constructor(current: () => Settings) {
    this.current = current
  }

  get settings(): Settings {
    return this.current()
  }
}

/**
 * The parts as one object, with the settings that hold now. Every request looks at it dozens of times, and V8 keeps an object as a
 * hash table that is a literal with a getter, or that was given some twenty properties by Object.assign: the getter is
 * inherited, and the parts are spread.
 */
export function withLiveSettings<Parts extends object>(current: () => Settings, parts: Parts): Parts & Live {
  return { __proto__: LiveSettings.prototype, ...new LiveSettings(current), ...parts } as unknown as Parts & Live
}
