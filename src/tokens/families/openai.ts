import type { Family, Weights } from '#tokens/family.ts'
import { plain } from './weights.ts'

/** OpenAI's own: instructions and turns cost 4 each, declarations are TypeScript; encrypted reasoning is about an eighth of its characters. */
const openai = (weights: Partial<Weights>): Weights =>
  plain({
    call: 17.5,
    tool: 0,
    text: 1,
    toolText: 1,
    reasoning: 0,
    seal: 0.12,
    sealFree: 650,
    ...weights,
  })

/** The small models count patches (OpenAI's guide "Images and vision", calculating costs; GPT-5's factor as recorded). */
const OPENAI_IMAGES = [
  { model: /^gpt-4o-mini/, rule: { type: 'tiles', base: 2_833, tile: 5_667 } },
  { model: /^gpt-4\.1-mini/, rule: { type: 'patches', side: 32, factor: 1.62, patchesMax: 1_536 } },
  { model: /^gpt-4\.1-nano/, rule: { type: 'patches', side: 32, factor: 2.46, patchesMax: 1_536 } },
  { model: /^o4-mini/, rule: { type: 'patches', side: 32, factor: 1.72, patchesMax: 1_536 } },
  { model: /^gpt-5(?:-mini|-nano|\.[4-9])/, rule: { type: 'patches', side: 32, factor: 1.2, patchesMax: 1_536 } },
  { model: /^o\d/, rule: { type: 'tiles', base: 75, tile: 150 } },
  { model: /^gpt-5/, rule: { type: 'tiles', base: 70, tile: 140 } },
] as const
const OPENAI = {
  encoding: 'o200k_base',
  toolForm: 'typescript',
  image: { type: 'tiles', base: 85, tile: 170 },
  images: OPENAI_IMAGES,
  page: 220,
  audioSecond: 10,
  videoSecond: 260,
} as const

export const OPENAI_FAMILIES: readonly Family[] = [
  {
    ...OPENAI,
    name: 'gpt-oss',
    model: /^gpt-oss/,
    errorBoundPercent: 35,
    // The harmony template brings a system message of its own.
    weights: openai({
      request: 60,
      system: 7,
      turn: 7,
      call: 16,
      tools: 28,
      schema: 75,
      reasoning: 1,
      seal: 0,
    }),
  },
  {
    ...OPENAI,
    name: 'openai-classic',
    model: /^(?:gpt-3|gpt-4$|gpt-4-|gpt-35)/,
    encoding: 'cl100k_base',
    errorBoundPercent: 15,
    weights: openai({ call: 26, tools: 16, seal: 0 }),
  },
  {
    ...OPENAI,
    name: 'openai-4o',
    model: /^(?:gpt-4o|gpt-4\.|chatgpt)/,
    errorBoundPercent: 20,
    weights: openai({ tools: 11, forced: 3, schema: 8, schemaText: 0.85 }),
  },
  {
    ...OPENAI,
    name: 'openai-reasoning',
    model: /^(?:gpt-|o\d|codex)/,
    errorBoundPercent: 20,
    weights: openai({ request: 2, call: 23, tools: 15, schema: 1 }),
    // Chat completions with tools get 81 tokens of instructions that Responses do not.
    protocols: { 'openai-chat': { tools: 96.5, call: 20 } },
  },
]
