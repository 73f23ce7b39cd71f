import type { Prompt } from './prompt.ts'

/** The simulator's stated rule: about four characters are a token, and nothing that exists costs less than one. */
export const CHARACTERS_PER_TOKEN = 4
/** An image or another file counts the same whatever its size. */
export const TOKENS_PER_FILE = 256

/** Tokens of one text; 0 for the empty text. */
export const countTokens = (text: string): number => Math.ceil(text.length / CHARACTERS_PER_TOKEN)

/** Tokens of a whole prompt, tool declarations included; at least 1. */
export function countPromptTokens(prompt: Prompt): number {
  let tokens = 0
  for (const turn of prompt.turns) {
    for (const part of turn.parts) {
      if (part.type === 'file') tokens += TOKENS_PER_FILE
      else if (part.type === 'call') tokens += countTokens(part.name + part.arguments)
      else tokens += countTokens(part.text)
    }
  }
  for (const tool of prompt.tools) tokens += countTokens(tool.name + JSON.stringify(tool.schema))
  return Math.max(1, tokens)
}

/** The longest start of `text` that costs at most `tokensMax`, never half of a surrogate pair. */
export function cutTokens(text: string, tokensMax: number): string {
  const cut = text.slice(0, tokensMax * CHARACTERS_PER_TOKEN)
  return cut.length < text.length && /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut
}

const PIECE = /\S{1,24}\s*|\s+/gu

/** Cuts a text into the pieces that a stream sends: words, and at most 24 characters of something without spaces. */
export const splitPieces = (text: string): string[] => text.match(PIECE) ?? []
