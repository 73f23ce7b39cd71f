import type { Bound, CompiledStatement, Step } from './statement.ts'

/** The values of a compiled statement in the order of its markers. */
export function bind(compiled: CompiledStatement, parameters: Step['parameters']): readonly Bound[] {
  if (isPositional(parameters)) return parameters
  return compiled.slots.map((slot) => {
    if ('value' in slot) return slot.value
    const value = parameters[slot.name]
    if (value === undefined) throw new TypeError(`The parameter ${slot.name} is missing.`)
    return value
  })
}

const isPositional = (parameters: Step['parameters']): parameters is readonly Bound[] => Array.isArray(parameters)
