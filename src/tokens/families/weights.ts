import type { ImageRule, Weights } from '#tokens/family.ts'

/** A template that only wraps each turn, as most open models have. */
export const PLAIN: Weights = {
  request: 3,
  system: 4,
  turn: 4,
  call: 20,
  tools: 100,
  tool: 5,
  forced: 0,
  single: 0,
  schema: 5,
  json: 0,
  thinking: 0,
  citations: 0,
  text: 1.03,
  toolText: 1.15,
  schemaText: 1,
  reasoning: 0.8,
  pastReasoning: 0,
  seal: 0,
  pastSeal: 0,
  sealFree: 0,
}

/** The same with differences. */
export const plain = (weights: Partial<Weights>): Weights => ({ ...PLAIN, ...weights })

const PATCHES: ImageRule = { type: 'patches', side: 28, factor: 1, patchesMax: 2_500 }
/** How a model reads when nobody says otherwise. */
export const USUAL = {
  encoding: 'o200k_base',
  toolForm: 'json',
  image: PATCHES,
  page: 1_000,
  audioSecond: 13,
  videoSecond: 260,
} as const
