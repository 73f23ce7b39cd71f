/** Types of backends that may understand what is not their vendor's own: everything stays for them (R79). */
export const TAKES_ANYTHING: ReadonlySet<string> = new Set([
  'openrouter',
  'openai-compatible',
  'anthropic-compatible',
  'gemini-compatible',
  'simulator',
])
