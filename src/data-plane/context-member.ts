/** By this member, or by the same one of `extra_body`, a client says how many tokens its prompt has (R73). */
export const CONTEXT_MEMBER = 'request_context_tokens'
