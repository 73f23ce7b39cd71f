/** Questions about media, as each client asks them. */

export type Client = 'chat' | 'responses' | 'messages' | 'gemini'
export const CLIENTS: readonly Client[] = ['chat', 'responses', 'messages', 'gemini']

export type Kind = 'image' | 'document'

/** A question about what stands at these addresses. */
export function question(client: Client, urls: readonly string[], kind: Kind = 'image'): object {
  switch (client) {
    case 'chat':
      return { messages: [{ role: 'user', content: urls.map((url) => ({ type: 'image_url', image_url: { url } })) }] }
    case 'responses': {
      const part = (url: string) =>
        kind === 'image' ? { type: 'input_image', image_url: url } : { type: 'input_file', file_url: url }
      return { input: [{ role: 'user', content: urls.map(part) }] }
    }
    case 'messages':
      return {
        max_tokens: 100,
        messages: [{ role: 'user', content: urls.map((url) => ({ type: kind, source: { type: 'url', url } })) }],
      }
    case 'gemini':
      return {
        contents: [{ role: 'user', parts: urls.map((fileUri) => ({ fileData: { mimeType: 'image/png', fileUri } })) }],
      }
  }
}

/** A question about a PNG, in base64. */
export function picture(client: Client, data: string): object {
  switch (client) {
    case 'messages': {
      const source = { type: 'base64', media_type: 'image/png', data }
      return { max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'image', source }] }] }
    }
    case 'gemini':
      return { contents: [{ role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data } }] }] }
    default:
      return question(client, [`data:image/png;base64,${data}`])
  }
}

export const PATHS: Readonly<Record<Client, (model: string) => string>> = {
  chat: () => '/v1/chat/completions',
  responses: () => '/v1/responses',
  messages: () => '/v1/messages',
  gemini: (model) => `/v1beta/models/${model}:generateContent`,
}
