import type { OutputFormat } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'

type SchemaFormat = Extract<OutputFormat, { type: 'schema' }>

/**
 * Declares a schema of which the model can only be told in words, alike for all upstreams (R81, R83): a client that asked
 * for nothing but words gets them, one that asked for a strict schema counts on more and is refused.
 */
export function loseSchema({ strict }: SchemaFormat, path: string, losses: Losses): void {
  if (strict === true) losses.severe(path, 'the model can be told of the schema only in words')
  else losses.emulated(path, 'the model is told of the schema in words')
}

/** What the model is told. */
export function schemaInstruction({ schema }: SchemaFormat): string {
  return `Answer with a JSON object that is valid against this JSON Schema, and nothing else:\n${JSON.stringify(schema)}`
}
