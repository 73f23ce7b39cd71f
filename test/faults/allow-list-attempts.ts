import { type Json, MODELS } from '#test/e2e/gateway.ts'

/** Ways to reach a model that a key may not use (fault S34). Nothing that is named `forbidden` may arrive anywhere. */

export const FORBIDDEN = 'forbidden'
/** Of another vendor, behind an alias, a variant, a chain: what the key may use is these. */
export const ALLOWED: readonly string[] = Object.values(MODELS).map(({ id }) => id)

const { chat, messages, gemini, embedding } = MODELS

export interface Attempt {
  readonly path: string
  readonly body: Json
  readonly headers?: Readonly<Record<string, string>>
}

/** Model strings, each of which is tried on every surface. */
export const STRINGS: readonly string[] = [
  FORBIDDEN,
  'Forbidden',
  'FORBIDDEN',
  ' forbidden',
  'forbidden ',
  'forbidden\u200b',
  // A Cyrillic o, full width, and letters with their accents apart.
  'f\u043erbidden',
  '\uff46\uff4f\uff52\uff42\uff49\uff44\uff44\uff45\uff4e',
  'forbidde\u0301n',
  'forbidden-thinking',
  'forbidden-thinking-thinking',
  ...['free', 'nitro', 'floor', 'exacto', 'extended', 'beta', 'thinking', 'online', 'gold', 'default'].map(
    (suffix) => `forbidden:${suffix}`,
  ),
  'forbidden:gold:nitro',
  'forbidden?temperature=0.5',
  `${chat.id}?model=forbidden`,
  'forbidden-thinking?temperature=1&seed=3',
  'acme/forbidden',
  'openai/forbidden',
  'acme/forbidden-thinking',
  'acme/forbidden:nitro',
  'backup:forbidden',
  'backup:forbidden-upstream',
  'backup:acme/forbidden',
  'backup.1:forbidden',
  'backup.2:forbidden',
  'openai:forbidden-upstream',
  'nick-forbidden',
  'swapped',
  'chained-forbidden',
  'hybrid-forbidden',
  'named-chain',
  `forbidden|${chat.id}`,
  `${chat.id}|forbidden`,
  `${chat.id}|backup:forbidden`,
  ` ${chat.id} | forbidden `,
  `hybrid:[forbidden,${chat.id}]`,
  `hybrid:[${chat.id},forbidden]`,
  `hybrid:[backup:forbidden,${chat.id}]`,
  '@preset/forbidden',
  `${chat.id}@preset/forbidden`,
  'openrouter/auto',
  'backup:openrouter/auto',
  'openrouter/fusion',
  '~acme/forbidden',
  'models/forbidden',
  '../forbidden',
  `${chat.id}/../forbidden`,
  'never-heard-of-forbidden',
  '',
]

/** Members beside a model that the key may use. */
const MEMBERS: readonly Json[] = [
  { models: [FORBIDDEN] },
  { models: ['acme/forbidden', chat.id] },
  { models: ['backup:forbidden'] },
  { models: ['never-heard-of-forbidden'], route: 'fallback' },
  { fallbacks: [{ model: FORBIDDEN }] },
  { fallbacks: [FORBIDDEN], models: [chat.id] },
  { fallback_model: FORBIDDEN },
  { preset: FORBIDDEN },
  { context_window_fallbacks: [{ model: FORBIDDEN }] },
  { extra_body: { model: FORBIDDEN } },
  { extra_body: { models: [FORBIDDEN] } },
  { Model: FORBIDDEN },
  { MODELS: [FORBIDDEN] },
  { Tools: [{ type: 'image_generation', model: FORBIDDEN }] },
  { TOOLS: [{ type: 'image_generation', model: FORBIDDEN }], tools: [] },
  { plugins: [{ id: 'fusion', model: FORBIDDEN }] },
  { plugins: [{ id: 'fusion', analysis_models: [FORBIDDEN] }] },
  { plugins: [{ id: 'auto-router', allowed_models: [FORBIDDEN] }] },
  { plugins: [{ id: 'auto-router' }] },
  { models: [FORBIDDEN], plugins: [{ id: 'fusion', model: FORBIDDEN }] },
  { tools: [{ type: 'image_generation', model: FORBIDDEN }] },
  { models: [FORBIDDEN], tools: [{ type: 'image_generation', model: FORBIDDEN }] },
  { tools: [{ type: 'image_generation' }] },
  { tools: [{ type: 'openrouter:image_generation', parameters: { model: FORBIDDEN } }] },
  { tools: [{ type: 'advisor_20260301', name: 'advisor', model: FORBIDDEN }] },
  { tools: [{ type: 'advisor_20260301', name: 'advisor' }] },
  { compound_custom: { models: { answering_model: FORBIDDEN } } },
  { provider_options: { gateway: { models: [FORBIDDEN] } } },
]

const words = [{ role: 'user', content: 'hi' }]
const prompt = [{ role: 'user', parts: [{ text: 'hi' }] }]

const SURFACES: Readonly<Record<string, (model: string) => Attempt>> = {
  chat: (model) => ({ path: '/v1/chat/completions', body: { model, messages: words } }),
  openRouter: (model) => ({ path: '/api/v1/chat/completions', body: { model, messages: words } }),
  responses: (model) => ({ path: '/v1/responses', body: { model, input: 'hi' } }),
  messages: (model) => ({ path: '/v1/messages', body: { model, max_tokens: 9, messages: words } }),
  count: (model) => ({ path: '/v1/messages/count_tokens', body: { model, messages: words } }),
  embeddings: (model) => ({ path: '/v1/embeddings', body: { model, input: 'hi' } }),
  gemini: (model) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:generateContent`,
    body: { contents: prompt },
  }),
  geminiCount: (model) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:countTokens`,
    body: { contents: prompt },
  }),
  geminiEmbed: (model) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:embedContent`,
    body: { content: { parts: [{ text: 'hi' }] } },
  }),
}

const OWN: Readonly<Record<string, string>> = {
  messages: messages.id,
  count: messages.id,
  gemini: gemini.id,
  geminiCount: gemini.id,
  geminiEmbed: MODELS.geminiEmbedding.id,
  embeddings: embedding.id,
}

/** Bodies that say a thing twice, or in letters that a parser spells out. */
const RAW: readonly Attempt[] = [
  `{"model":"${chat.id}","model":"${FORBIDDEN}","messages":[]}`,
  `{"model":"${FORBIDDEN}","model":"${chat.id}","messages":[]}`,
  `{"model":"${chat.id}","mod\\u0065l":"${FORBIDDEN}","messages":[]}`,
  `{"model":"f\\u006frbidden","messages":[]}`,
  `{"model":"${chat.id}","mod\\u0065ls":["${FORBIDDEN}"],"messages":[]}`,
  `{"model":"${chat.id}","Mod\\u0065l":"${FORBIDDEN}","messages":[]}`,
  `{"model":"${chat.id}","tools":[{"type":"image_generation","model":"${FORBIDDEN}","model":"${chat.id}"}],"messages":[]}`,
  `{"model":"${chat.id}","extra_body":{"model":"${FORBIDDEN}","model":"${chat.id}"},"messages":[]}`,
  `{"model":"${chat.id}","models":[],"models":["${FORBIDDEN}"],"messages":[]}`,
  `{"model":"${chat.id}","models":["${FORBIDDEN}"],"models":[],"messages":[]}`,
  `{"model":"${chat.id}","extra_body":{},"extra_bod\\u0079":{"model":"${FORBIDDEN}"},"messages":[]}`,
].map((body) => ({ path: '/v1/chat/completions', body }))

const GEMINI_NESTED: readonly Attempt[] = [
  { path: `/v1beta/models/${gemini.id}:generateContent`, body: { model: `models/${FORBIDDEN}`, contents: prompt } },
  {
    path: `/v1beta/models/${gemini.id}:countTokens`,
    body: { generateContentRequest: { model: `models/${FORBIDDEN}`, contents: prompt } },
  },
  {
    path: `/v1beta/models/${MODELS.geminiEmbedding.id}:batchEmbedContents`,
    body: { requests: [{ model: `models/${FORBIDDEN}`, content: { parts: [{ text: 'hi' }] } }] },
  },
]

/** Every attempt, with what it is called. */
export function attempts(): readonly (Attempt & { readonly name: string })[] {
  const all: (Attempt & { name: string })[] = []
  for (const [surface, ask] of Object.entries(SURFACES)) {
    const own = ask(OWN[surface] ?? chat.id)
    for (const text of STRINGS) all.push({ ...ask(text), name: `${surface} ${JSON.stringify(text)}` })
    for (const members of MEMBERS)
      all.push({ ...own, body: { ...own.body, ...members }, name: `${surface} ${JSON.stringify(members)}` })
    for (const group of ['gold', 'backup', FORBIDDEN])
      all.push({ ...ask(FORBIDDEN), headers: { 'x-gateway-group': group }, name: `${surface} in ${group}` })
    // The model has a fallback and a larger sibling that the key may not use.
    const long = { ...own.body, request_context_tokens: 90_000 }
    all.push({ ...own, name: `${surface}, its own` }, { ...own, body: long, name: `${surface}, too long` })
  }
  for (const each of [...RAW, ...GEMINI_NESTED]) all.push({ ...each, name: JSON.stringify(each.body) })
  return all
}
