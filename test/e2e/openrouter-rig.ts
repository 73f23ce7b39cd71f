import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** Gateways whose backends have names, for tests of who is called. */

const NAMES = ['dear', 'cheap', 'private'] as const
export const PRICES = {
  dear: { input: 10, output: 30 },
  cheap: { input: 1, output: 3 },
  private: { input: 5, output: 15, request: 0.01 },
}
/** What an upstream says when it fails. */
export const errorBody = { error: { message: 'told', type: 'server_error', code: 'told' } }
export const messages = [{ role: 'user' as const, content: 'hi' }]

export interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly upstreams: Readonly<Record<string, Upstream>>
  chat(body: object): Promise<Told>
  /** Backends that were called since the last question, in the order of the row's attempts. */
  backendsOf(told: Told): Promise<string[]>
}

/** A gateway in front of one upstream per name. */
export async function rigOf(
  names: readonly string[],
  config: (urlOf: (name: string) => string) => object,
): Promise<Rig> {
  const upstreams: Record<string, Upstream> = {}
  for (const name of names) upstreams[name] = await startUpstream({ text: `from ${name}` })
  const gateway = await startTestGateway({
    config: {
      failure_handling: { enabled: true, min_retry_wait: 0.01 },
      ...(config((name) => upstreams[name]!.url) as Record<string, object>),
    },
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    for (const upstream of Object.values(upstreams)) await upstream.close()
  }
  return {
    gateway,
    upstreams,
    chat: (body) => gateway.ask('/api/v1/chat/completions', { body: { messages, ...body } }),
    backendsOf: async (told) => {
      const row = await gateway.log(told.headers.get('x-request-id')!)
      return row.attempts.map(({ backend }: { backend: string }) => backend)
    },
    [Symbol.asyncDispose]: close,
  }
}

export const model = (id: string, rest: object = {}) => ({
  id,
  vendor: 'acme',
  context_window: 100_000,
  max_output: 1000,
  ...rest,
})

/** One model at three backends, in the order dear, cheap, private; and a second model at the dear one. */
export const startNative = (): Promise<Rig> =>
  rigOf(NAMES, (urlOf) => ({
    models: [model('acme/one', { fallbacks: [] }), model('acme/two', { price: { input: 2, output: 2 } })],
    routes: [
      ...NAMES.map((name, priority) => ({
        model: 'acme/one',
        backend: name,
        upstream_model: `${name}-one`,
        priority,
        price: PRICES[name],
      })),
      { model: 'acme/two', backend: 'dear', upstream_model: 'dear-two' },
    ],
    backends: Object.fromEntries(
      NAMES.map((name) => [
        name,
        {
          type: 'openai',
          api_url: `${urlOf(name)}/v1`,
          api_key: 'sk-1',
          region: name === 'cheap' ? 'eu-1' : 'us-1',
          ...(name === 'private' ? { data_policy: ['zdr', 'no_collection'] } : {}),
        },
      ]),
    ),
  }))
