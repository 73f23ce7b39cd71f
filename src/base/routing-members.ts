/** By this member, or by the same one of `extra_body`, a client says how many tokens its prompt has (R73). */
export const CONTEXT_MEMBER = 'request_context_tokens'

/** Members of a body, in any protocol, that say where its request may go (R68, openrouter-api.md). */
export const ROUTING_MEMBERS = [
  'models',
  'fallbacks',
  'provider',
  'session_id',
  'prompt_cache_key',
  'extra_body',
  CONTEXT_MEMBER,
  'plugins',
  'transforms',
  'route',
] as const
