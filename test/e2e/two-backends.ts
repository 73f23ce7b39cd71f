import { answerNatively } from '#test/upstream/native.ts'
import {
  type Frame,
  type Received,
  type Reply,
  type Script,
  startUpstream,
  type Upstream,
} from '#test/upstream/upstream.ts'
import { MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'

/** Every model at two backends, and what each surface asks of it: for the tests of failover. */

export const BAD = 'from the first'
export const GOOD = 'from the second'
/** Short enough to wait for. */
const TIMEOUTS = { ttft_timeout: 0.3, request_timeout: 0.3, stream_idle_timeout: 0.3 }

const SOLD = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }

export interface Call {
  readonly path: string
  readonly body: object
  /** Frames of the native stream before its first content. */
  readonly opening: number
  readonly starts: RegExp
}

const chatBody = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
/** At backends of its own, so that each surface has a health of its own. */
const RESPONSES = { id: 'gpt-responses', upstream: 'gpt-responses-upstream' }
const responsesBody = { model: RESPONSES.id, input: 'hi' }
const messagesBody = { model: MODELS.messages.id, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
const geminiBody = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
const gemini = `/v1beta/models/${MODELS.gemini.id}`

export const WHOLE: Readonly<Record<string, Call>> = {
  chat: { path: '/v1/chat/completions', body: chatBody, opening: 0, starts: /"chat.completion"/g },
  responses: { path: '/v1/responses', body: responsesBody, opening: 0, starts: /"object":"response"/g },
  messages: { path: '/v1/messages', body: messagesBody, opening: 0, starts: /"type":"message"/g },
  gemini: { path: `${gemini}:generateContent`, body: geminiBody, opening: 0, starts: /"candidates"/g },
}

export const STREAMED: Readonly<Record<string, Call>> = {
  chat: { ...WHOLE['chat']!, body: { ...chatBody, stream: true }, opening: 1, starts: /"role":"assistant"/g },
  responses: {
    ...WHOLE['responses']!,
    body: { ...responsesBody, stream: true },
    opening: 4,
    starts: /event: response\.created/g,
  },
  messages: {
    ...WHOLE['messages']!,
    body: { ...messagesBody, stream: true },
    opening: 3,
    starts: /event: message_start/g,
  },
  gemini: { path: `${gemini}:streamGenerateContent?alt=sse`, body: geminiBody, opening: 0, starts: /"finishReason"/g },
}

export interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
  readonly second: Upstream
}

/** Every model at two backends; the first one has the better priority. */
export async function startRig(failureHandling: object = {}, hasSecond = true): Promise<Rig> {
  const second = await startUpstream({ text: GOOD })
  const models = [MODELS.chat, RESPONSES, MODELS.messages, MODELS.gemini]
  const backends = ['openai', 'responses', 'anthropic', 'gemini']
  const routes = models.flatMap(({ id, upstream }, index) => [
    { model: id, backend: backends[index], upstream_model: upstream, priority: 0 },
    ...(hasSecond ? [{ model: id, backend: `${backends[index]}-2`, upstream_model: upstream, priority: 1 }] : []),
  ])
  const gateway = await startTestGateway({
    upstream: { text: BAD },
    config: (url) => ({
      failure_handling: { enabled: true, min_retry_wait: 0.01, ...failureHandling },
      timeouts: TIMEOUTS,
      routes: routes as unknown as object,
      models: models.map(({ id }) => ({
        id,
        context_window: 100_000,
        max_output: 8000,
        price: PRICE,
      })) as unknown as object,
      backends: {
        responses: { type: 'openai', api_url: `${url}/v1`, api_key: 'sk-1' },
        'responses-2': { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' },
        'openai-2': { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' },
        'anthropic-2': { type: 'anthropic', api_url: second.url, api_key: 'sk-2' },
        'gemini-2': { type: 'gemini', api_url: second.url, api_key: 'sk-2' },
      },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await second.close()
  }
  return { gateway, first: gateway.upstream, second, [Symbol.asyncDispose]: close }
}

/** The native stream of this request, up to a number of frames. */
export const opening =
  (frames: number, end: Partial<Reply>): Script =>
  (received: Received) => ({ frames: framesOf(received).slice(0, Math.max(1, frames)), ...end })

export function framesOf(received: Received): Frame[] {
  return [...answerNatively(received, { text: BAD, sold: SOLD })!.frames!]
}

export const json = { 'content-type': 'application/json' }
export const errorBody = { error: { message: 'told', type: 'server_error', code: 'told' } }
