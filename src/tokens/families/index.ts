import type { Family } from '#tokens/family.ts'
import { ANTHROPIC_FAMILIES } from './anthropic.ts'
import { GOOGLE_FAMILIES } from './google.ts'
import { OPENAI_FAMILIES } from './openai.ts'
import { OTHER_FAMILIES } from './others.ts'

/**
 * All families: the first that matches counts, and the last matches everything. The numbers were fitted to what providers
 * said that recorded prompts cost; `test/laws/token-count.test.ts` holds them against it. Image rules follow the providers'
 * documents.
 */
export const FAMILIES: readonly Family[] = [
  ...OPENAI_FAMILIES,
  ...ANTHROPIC_FAMILIES,
  ...GOOGLE_FAMILIES,
  ...OTHER_FAMILIES,
]
