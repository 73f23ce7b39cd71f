import { ulid } from '#base/ids.ts'
import { readGemini } from './gemini-read.ts'
import { type Fields, jsonOrText, type Refusal } from './fields.ts'
import type { Performance, Usage } from './performance.ts'
import type { Step } from './scripts.ts'
import { frame } from './speaker.ts'
import type { Frame, Speaker } from './speaker.ts'
import { splitPieces } from './tokens.ts'

/** generateContent. Thoughts are left out for a client that says `includeThoughts: false`; they are counted all the same. */
export const gemini: Speaker = {
  read: readGemini,
  speak: (performance, body) => {
    const head = { modelVersion: performance.model, responseId: ulid() }
    const shown = showsThoughts(body)
    return {
      body: () => wholeResponse(performance, head, shown),
      frames: () => responseFrames(performance, head, shown),
    }
  },
  refuse,
  breakOff: (refusal) => frame(refuse(refusal), false),
}

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
}

function refuse(refusal: Refusal): Fields {
  const status = STATUSES[refusal.status] ?? (refusal.status >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT')
  return { error: { code: refusal.status, message: refusal.message, status } }
}

function showsThoughts(body: Fields): boolean {
  const config = body.generationConfig as Fields | null | undefined
  return (config?.thinkingConfig as Fields | null | undefined)?.includeThoughts !== false
}

const FINISH = { stop: 'STOP', 'stop-sequence': 'STOP', length: 'MAX_TOKENS', calls: 'STOP' } as const

/** Candidates exclude thoughts here, and an absent class is left out, as Google does. */
const usageOf = (usage: Usage): Fields => ({
  promptTokenCount: usage.input,
  candidatesTokenCount: usage.output - usage.reasoning,
  totalTokenCount: usage.input + usage.output,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: usage.input }],
  ...(usage.reasoning > 0 && { thoughtsTokenCount: usage.reasoning }),
})

/** The last signature of the steps, which the first part after the thoughts carries. */
const sealOf = (steps: readonly Step[]): string | undefined =>
  steps.flatMap((step) => (step.kind === 'think' && step.seal ? [step.seal] : []))[0]

function wholeResponse(performance: Performance, head: Fields, shown: boolean): Fields {
  const seal = sealOf(performance.steps)
  const plain = performance.steps.filter((step) => step.kind !== 'think')
  const thoughts = performance.steps.filter((step) => step.kind === 'think' && shown)
  const parts: Fields[] = [
    ...thoughts.map((step) => partOf(step)),
    ...plain.map((step, index) => ({ ...partOf(step), ...(seal && index === 0 && { thoughtSignature: seal }) })),
  ]
  const content = { parts, role: 'model' }
  const candidate = { content, finishReason: FINISH[performance.finish], index: 0 }
  return { candidates: [candidate], usageMetadata: usageOf(performance.usage), ...head }
}

function partOf(step: Step): Fields {
  switch (step.kind) {
    case 'think':
      return { text: step.text, thought: true }
    case 'say':
      return { text: step.text }
    case 'call':
      return { functionCall: { id: `call_${ulid()}`, name: step.name, args: jsonOrText(step.arguments) } }
    default:
      return step satisfies never
  }
}

function* responseFrames(performance: Performance, head: Fields, shown: boolean): Iterable<Frame> {
  const { input } = performance.usage
  const early = { promptTokenCount: input, totalTokenCount: input }
  const chunk = (part: Fields, finish?: string): Frame => {
    const candidate = { content: { parts: [part], role: 'model' }, ...(finish && { finishReason: finish }), index: 0 }
    const usageMetadata = finish ? usageOf(performance.usage) : early
    return frame({ candidates: [candidate], usageMetadata, ...head }, !finish)
  }
  let seal = sealOf(performance.steps)
  for (const step of performance.steps) {
    if (step.kind === 'think') {
      if (shown) for (const text of splitPieces(step.text)) yield chunk({ text, thought: true })
    } else if (step.kind === 'say') {
      for (const text of splitPieces(step.text)) yield chunk({ text })
    } else {
      yield chunk({ ...partOf(step), ...(seal && { thoughtSignature: seal }) })
      seal = undefined
    }
  }
  // As Google does, the signature of a spoken answer comes with an empty text in the last chunk.
  yield chunk({ text: '', ...(seal && { thoughtSignature: seal }) }, FINISH[performance.finish])
}
