/** The names of everything spoken on a wire. A *surface* is a client's protocol, a *protocol* is what a backend speaks. */

export const PROTOCOLS = [
  'openai-chat',
  'openai-responses',
  'openai-embeddings',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
  'cohere-chat',
] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** Client protocols: every upstream protocol but Bedrock's and Cohere's has a client side. */
export type Surface = Exclude<Protocol, 'bedrock-converse' | 'cohere-chat'>

/** What is asked of a model. `count` is free (B4), the others are metered. */
export type Operation = 'generate' | 'embed' | 'count'

/** How a request reaches its upstream: `passthrough`, or `<in>-><out>` where a translation is involved (R26). */
export const adapterOf = (surface: Surface, protocol: Protocol): string =>
  protocol === surface ? 'passthrough' : `${surface}->${protocol}`
