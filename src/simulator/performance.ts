import { Refusal } from './fields.ts'
import { CONTEXT_TOKENS_MAX, OUTPUT_TOKENS_MAX, modelName } from './models.ts'
import type { Prompt } from './prompt.ts'
import { valueForSchema } from './schema-value.ts'
import { scriptOf } from './scripts.ts'
import type { Step } from './scripts.ts'
import { isSeal } from './seal.ts'
import { countPromptTokens, countTokens, cutTokens } from './tokens.ts'

/** One finished answer, in no protocol. The speakers turn it into a body or into a stream. */
export interface Performance {
  /** The model as the client wrote it. */
  readonly model: string
  readonly steps: readonly Step[]
  readonly finish: 'stop' | 'stop-sequence' | 'length' | 'calls'
  readonly stopSequence: string | null
  readonly usage: Usage
}

/** Tokens. `output` contains `reasoning`. */
export interface Usage {
  readonly input: number
  readonly output: number
  readonly reasoning: number
}

/**
 * Plays the model's script for a prompt, then applies JSON mode, stop sequences and the output limit, and counts.
 * Throws Refusal: 404 unknown model, 400 a prompt beyond the context window or an altered signature.
 */
export function perform(prompt: Prompt): Performance {
  const script = scriptOf(prompt.model)
  if (!script) {
    if (modelName(prompt.model) === 'embed') {
      throw new Refusal(400, `The model '${prompt.model}' makes embeddings, it does not chat.`, null, 'model')
    }
    throw new Refusal(404, `The model '${prompt.model}' does not exist.`, 'model_not_found', 'model')
  }
  refuseAlteredSeals(prompt)
  const input = countPromptTokens(prompt)
  if (input > CONTEXT_TOKENS_MAX) {
    const message = `This prompt has ${input} tokens; the model's context window has ${CONTEXT_TOKENS_MAX}.`
    throw new Refusal(400, message, 'context_length_exceeded')
  }
  const stopped = stopAt(answerInJson(script(prompt), prompt), prompt.stopSequences)
  const kept = limit(stopped.steps, Math.min(prompt.outputTokensMax ?? OUTPUT_TOKENS_MAX, OUTPUT_TOKENS_MAX))
  const calls = kept.steps.some((step) => step.kind === 'call')
  const finish = kept.cut ? 'length' : stopped.sequence !== null ? 'stop-sequence' : calls ? 'calls' : 'stop'
  return {
    model: prompt.model,
    steps: kept.steps,
    finish,
    stopSequence: finish === 'stop-sequence' ? stopped.sequence : null,
    usage: { input, output: Math.max(1, sum(kept.steps)), reasoning: sum(kept.steps, 'think') },
  }
}

/** Models that sign their reasoning insist on it, as the real issuers do; the others do not look. */
function refuseAlteredSeals(prompt: Prompt): void {
  if (!['think', 'thinking', 'tools'].includes(modelName(prompt.model))) return
  for (const part of prompt.turns.flatMap((turn) => turn.parts)) {
    if (part.type !== 'think' || part.seal === null) continue
    if (!isSeal(part.seal, part.text || null)) {
      throw new Refusal(400, "Invalid signature in a reasoning block: it is not this model's own, or it was altered.")
    }
  }
}

/** JSON mode: what the script wanted to say becomes the strings of a value that fits the schema. */
function answerInJson(steps: Step[], prompt: Prompt): Step[] {
  const { json } = prompt
  if (!json) return steps
  return steps.map((step) => {
    if (step.kind !== 'say') return step
    const value = json.schema ? valueForSchema(json.schema, step.text) : { answer: step.text }
    return { kind: 'say', text: JSON.stringify(value) }
  })
}

function stopAt(steps: readonly Step[], sequences: readonly string[]): { steps: Step[]; sequence: string | null } {
  const before: Step[] = []
  for (const step of steps) {
    if (step.kind === 'say') {
      const hits = sequences.map((sequence) => ({ sequence, at: step.text.indexOf(sequence) }))
      const [hit] = hits.filter(({ at }) => at >= 0).sort((left, right) => left.at - right.at)
      if (hit) return { steps: [...before, { ...step, text: step.text.slice(0, hit.at) }], sequence: hit.sequence }
    }
    before.push(step)
  }
  return { steps: before, sequence: null }
}

/** Spends the output limit step by step. Half a tool call is worth nothing, so one that does not fit is left out. */
function limit(steps: readonly Step[], tokensMax: number): { steps: Step[]; cut: boolean } {
  const kept: Step[] = []
  let left = tokensMax
  for (const step of steps) {
    const cost = costOf(step)
    if (cost <= left) {
      kept.push(step)
      left -= cost
      continue
    }
    // Reasoning that was cut has no signature: nobody signs what was not finished.
    if (step.kind === 'think') kept.push({ ...step, text: cutTokens(step.text, left), seal: '' })
    if (step.kind === 'say') kept.push({ ...step, text: cutTokens(step.text, left) })
    return { steps: kept.filter((one) => one.kind === 'call' || one.text), cut: true }
  }
  return { steps: kept, cut: false }
}

const costOf = (step: Step): number => countTokens(step.kind === 'call' ? step.name + step.arguments : step.text)

const sum = (steps: readonly Step[], kind?: Step['kind']): number =>
  steps.reduce((total, step) => (!kind || step.kind === kind ? total + costOf(step) : total), 0)
