import type { Family } from '#tokens/family.ts'
import { USUAL, plain } from './weights.ts'

const GEMINI = { ...USUAL, image: { type: 'gemini' }, page: 258, audioSecond: 32, videoSecond: 263 } as const
/** Schemas of answers cost nothing; what a signature stands for costs what it was long. */
const GEMINI_WEIGHTS = plain({
  request: 0,
  system: 0.7,
  turn: 0.7,
  call: 12,
  tools: 0,
  tool: 0,
  text: 1.05,
  toolText: 1.1,
  schema: 0,
  schemaText: 0,
  reasoning: 0,
  seal: 0.18,
})

export const GOOGLE_FAMILIES: readonly Family[] = [
  {
    ...GEMINI,
    name: 'gemini-2.0',
    model: /^gemini-(?:1|2\.0)/,
    errorBoundPercent: 30,
    weights: plain({
      request: 0,
      system: 0.5,
      turn: 0.5,
      call: 0,
      tools: 0,
      tool: 0,
      toolText: 0.42,
      schema: 0,
      schemaText: 0,
    }),
  },
  {
    ...GEMINI,
    name: 'gemini-2.5',
    model: /^gemini-2/,
    errorBoundPercent: 35,
    weights: GEMINI_WEIGHTS,
  },
  {
    ...GEMINI,
    name: 'gemini-3',
    model: /^gem(?:ini|ma)/,
    errorBoundPercent: 35,
    image: { type: 'fixed', tokens: 1_090 },
    page: 1_090,
    weights: GEMINI_WEIGHTS,
  },
]
