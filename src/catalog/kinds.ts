/** The group of every route that names none (R63). */
export const DEFAULT_GROUP = 'default'

const CHAT_CAPABILITIES = new Set(['chat', 'streaming', 'tools', 'json_mode', 'json_schema', 'reasoning', 'thinking'])

/** A model that embeds and does not chat (R54: `kind`). */
export const isEmbedding = (capabilities: readonly string[]): boolean =>
  capabilities.includes('embeddings') && !capabilities.some((name) => CHAT_CAPABILITIES.has(name))
