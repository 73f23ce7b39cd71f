import type { CommandCall } from './commands.ts'

export type CommandListener = (call: CommandCall) => void

export interface Announcer {
  announce(call: CommandCall): void
  onCommand(listener: CommandListener): void
}

/** Tells of every command when it is queued: whoever listens knows the order of the writes, and knows it in time. */
export function createAnnouncer(): Announcer {
  const listeners: CommandListener[] = []
  return {
    announce(call) {
      for (const listener of listeners) listener(call)
    },
    onCommand(listener) {
      listeners.push(listener)
    },
  }
}
