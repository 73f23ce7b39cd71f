/** The makers' models differ in what they take; everything else is one API. By the name, which Bedrock begins with the maker's. */
export type Family = 'claude' | 'nova' | 'qwen' | 'other' | 'unnamed'

const FAMILIES: readonly (readonly [RegExp, Family])[] = [
  [/claude|anthropic\./, 'claude'],
  [/amazon\.nova/, 'nova'],
  [/(?:^|[./])qwen\./, 'qwen'],
  [
    /(?:^|[./])(?:ai21|amazon|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|writer|zai)\./,
    'other',
  ],
]

/** `unnamed` for what tells no maker: an application's inference profile, a name of the operator's. */
export function familyOf(model: string): Family {
  const name = model.toLowerCase()
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1] ?? 'unnamed'
}

/** Only these have a prompt cache with breakpoints; the others refuse one. */
export function takesCachePoints(family: Family): boolean {
  return family === 'claude' || family === 'nova' || family === 'unnamed'
}

/** Others call tools, but refuse to be forced to ("This model doesn't support the toolConfig.toolChoice.tool field"). */
export function takesForcedTools(family: Family): boolean {
  return family === 'claude' || family === 'nova' || family === 'unnamed'
}
