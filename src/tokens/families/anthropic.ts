import type { Family, Weights } from '#tokens/family.ts'
import { USUAL, plain } from './weights.ts'

/** Anthropic's own: the price of tools is a table in its documentation (pricing, "tool use"), told again by the recordings. */
const claude = (weights: Partial<Weights>): Weights =>
  plain({
    request: 5,
    system: 0,
    turn: 3,
    call: 49,
    tool: 21,
    text: 1.15,
    toolText: 1.15,
    schema: 134,
    schemaText: 1.15,
    reasoning: 1,
    thinking: 28,
    citations: 590,
    ...weights,
  })

const CLAUDE = { ...USUAL, image: { type: 'area', edgeMax: 1_568, tokensMax: 1_600 }, page: 2_600 } as const

export const ANTHROPIC_FAMILIES: readonly Family[] = [
  {
    ...CLAUDE,
    name: 'claude-3',
    model: /^claude-(?:v?2|instant|3[.-]5|3-[a-z])/,
    errorBoundPercent: 30,
    weights: claude({ call: 80, tools: 240 }),
  },
  {
    ...CLAUDE,
    name: 'claude-4.5',
    model: /^claude-(?:[a-z]+-4[.-][56]|4[.-][56])/,
    errorBoundPercent: 30,
    weights: claude({ tools: 487, forced: 77, single: -205 }),
  },
  {
    ...CLAUDE,
    name: 'claude-4.7',
    model: /^claude-[a-z]+-4[.-][78]/,
    errorBoundPercent: 35,
    image: { type: 'area', edgeMax: 2_576, tokensMax: 4_784 },
    weights: claude({ tools: 690, forced: 90, thinking: 0, text: 1.5, toolText: 1.4, pastReasoning: 1.5 }),
  },
  {
    ...CLAUDE,
    name: 'claude-4',
    model: /^claude-(?:3|4|[a-z]+-4)/,
    errorBoundPercent: 25,
    weights: claude({ call: 77, tools: 307, forced: -33, reasoning: 0.7 }),
  },
  {
    ...CLAUDE,
    name: 'claude-5',
    model: /^claude/,
    errorBoundPercent: 35,
    image: { type: 'area', edgeMax: 2_576, tokensMax: 4_784 },
    weights: claude({ call: 22, tools: 360, thinking: 0, text: 1.4, toolText: 1.3, pastReasoning: 1.4 }),
  },
]
