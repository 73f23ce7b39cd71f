import type { Parsed } from '#data-plane/3-parse/parse.ts'

/** Bytes of a body per token of its prompt: a rule of thumb for prose and JSON, which errs towards letting a prompt through. */
export const BYTES_PER_TOKEN = 4

/** Tokens that the request's prompt has, as the client says or as its bytes suggest. */
export function promptEstimate({ wishes, body }: Parsed): number {
  return wishes?.contextTokens ?? Math.ceil(body.length / BYTES_PER_TOKEN)
}
