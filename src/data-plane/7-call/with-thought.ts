import type { Surface } from '#base/protocols.ts'
import { childOf, type Fields, fieldsIn } from './fields.ts'

/** Members that ask for reasoning, by surface; with dots between their levels. */
const WISHES: Readonly<Partial<Record<Surface, readonly string[]>>> = {
  'openai-chat': ['reasoning', 'reasoning_effort', 'thinking', 'enable_thinking', 'include_reasoning'],
  'openai-responses': ['reasoning'],
  'anthropic-messages': ['thinking', 'output_config.effort'],
  gemini: [
    'generationConfig.thinkingConfig',
    'generationConfig.thinking_config',
    'generation_config.thinkingConfig',
    'generation_config.thinking_config',
  ],
}

/** Takes the client's wish to reason out of its request. */
export function withoutReasoning(surface: Surface, fields: Fields): void {
  for (const path of WISHES[surface] ?? []) {
    const names = path.split('.')
    const last = names.pop()!
    const holder = names.reduce<Fields | null>((at, name) => at && fieldsIn(at[name]), fields)
    if (holder) delete holder[last]
  }
}

/**
 * Puts what was thought beforehand where the surface has the operator's words (R40), and with `repeats` once more as a message of
 * the assistant behind the last one.
 */
export function addThought(surface: Surface, fields: Fields, thought: string, repeats: boolean): void {
  const text = `Reasoning about the request, done beforehand:\n<reasoning>\n${thought}\n</reasoning>`
  const repeated = `<reasoning>\n${thought}\n</reasoning>`
  if (surface === 'gemini') {
    const name = 'system_instruction' in fields ? 'system_instruction' : 'systemInstruction'
    const instruction = childOf(fields, name)
    instruction['parts'] = [...listOf(instruction['parts']), { text }]
    if (repeats) fields['contents'] = [...listOf(fields['contents']), { role: 'model', parts: [{ text: repeated }] }]
    return
  }
  if (surface === 'anthropic-messages') {
    // Behind what is there, so that what of it is cached stays so.
    const block = { type: 'text', text }
    const { system } = fields
    fields['system'] = typeof system === 'string' ? `${system}\n\n${text}` : [...listOf(system), block]
    if (repeats) fields['messages'] = [...listOf(fields['messages']), { role: 'assistant', content: repeated }]
    return
  }
  const name = surface === 'openai-responses' ? 'input' : 'messages'
  const { [name]: given } = fields
  const turns = typeof given === 'string' ? [{ role: 'user', content: given }] : listOf(given)
  const at = turns.findIndex((turn) => !isOperators(turn))
  const said = { role: surface === 'openai-responses' ? 'developer' : 'system', content: text }
  const put = turns.toSpliced(at < 0 ? turns.length : at, 0, said)
  fields[name] = repeats ? [...put, { role: 'assistant', content: repeated }] : put
}

/** A list; what stands alone is the only one of it. */
const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]

const isOperators = (turn: unknown): boolean => ['system', 'developer'].includes(String(fieldsIn(turn)?.['role']))
