import type { Target } from '#data-plane/5-plan/plan.ts'

/** The target as it is called at this attempt, from 1: itself, or the simulator in its place, which is told what to do wrong (B12). */
export function atAttempt(target: Target, attempt: number): Target {
  if (!target.fault) return target
  const { fault, ...sound } = target
  if (fault.attempt !== null && fault.attempt !== attempt) return sound
  return { ...sound, fault, route: fault.route, protocol: fault.protocol }
}

/** Whether an attempt goes wrong because somebody asked for it: then it says nothing of its backend. */
export const isStaged = ({ fault, selection }: Target): boolean => fault !== undefined || selection.fault !== null
