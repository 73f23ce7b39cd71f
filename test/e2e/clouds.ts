import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Received, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** A gateway whose backends are those of the clouds, all played by one upstream. */

export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const CHAT = { context_window: 200_000, max_output: 8000, capabilities: ['streaming', 'tools'], price: PRICE }
const EMBEDDING = { context_window: 8192, capabilities: ['embeddings'], price: { input: 0.1 } }
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** What the service account's signatures are checked with. */
export { publicKey as ACCOUNT_PUBLIC_KEY }

export interface Clouds {
  readonly upstream: Upstream
  readonly gateway: TestGateway
  /** The latest request that the upstream got. */
  last(): Received
  /** Those that came after the first so many. */
  from(count: number): readonly Received[]
  ask(model: string, body?: object): Promise<Told>
  askClaude(model: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Told>
  close(): Promise<void>
}

const azureBackends = (url: string) => ({
  azure: { type: 'azure', api_url: `${url}/`, api_key: 'azure-key-0123456789', api_version: '2024-10-21' },
  'azure-v1': { type: 'azure', api_url: `${url}/openai/v1`, api_key: 'azure-key-0123456789' },
  'azure-dated': {
    type: 'azure',
    api_url: url,
    api_key: 'azure-key-0123456789',
    api_version: '2025-04-01-preview',
    protocols: ['openai-chat', 'openai-responses'],
  },
  'azure-models': { type: 'azure', api_url: `${url}/models`, api_key: 'azure-key-0123456789' },
  'azure-entra': {
    type: 'azure',
    api_url: url,
    tenant_id: 't',
    client_id: 'c',
    client_secret: 's3',
    token_url: `${url}/entra/token`,
  },
})

export async function startClouds(): Promise<Clouds> {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-clouds-'))
  const upstream = await startUpstream()
  const { url } = upstream
  const account = { type: 'service_account', client_email: 'a@p.iam', private_key_id: 'k1', private_key: privateKey }
  const file = join(folder, 'account.json')
  writeFileSync(file, JSON.stringify({ ...account, token_uri: `${url}/google/token` }))
  const aws = { type: 'bedrock', api_url: url, region: 'eu-west-1' }
  const routes = [
    ['gpt', 'azure', 'my-deployment'],
    ['gpt-5-ours', 'azure', 'my-deployment'],
    ['gpt-v1', 'azure-v1', 'my-deployment'],
    ['gpt-dated', 'azure-dated', 'my-deployment'],
    ['grok', 'azure-models', 'grok-4'],
    ['gpt-entra', 'azure-entra', 'my-deployment'],
    ['gem', 'vertex', 'gemini-3-pro'],
    ['gemini-express', 'vertex-express', 'gemini-3-pro'],
    ['claude-vertex', 'vertex', 'claude-sonnet-4-5@20250929'],
    ['claude-aws', 'aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['claude-arn', 'aws-key', 'arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-v1:0'],
    ['nova', 'aws', 'amazon.nova-lite-v1:0'],
    ['titan-embed', 'aws', 'amazon.titan-embed-text-v2:0'],
    ['cohere-embed', 'aws', 'cohere.embed-v4:0'],
  ].map(([model, backend, name]) => ({ model, backend, upstream_model: name }))
  const gateway = await startTestGateway({
    config: {
      models: routes.map(({ model }) => ({
        id: model,
        vendor: 'any',
        ...(model!.endsWith('-embed') ? EMBEDDING : CHAT),
      })) as Json,
      routes: routes as Json,
      backends: {
        ...azureBackends(url),
        vertex: { type: 'vertex', api_url: url, project: 'p-1', location: 'us-east5', credentials_file: file },
        'vertex-express': { type: 'vertex', api_url: url, api_key: 'express-key-0123456789' },
        aws: { ...aws, access_key_id: 'AKIDEXAMPLE', secret_access_key: SECRET, session_token: 'temporary' },
        'aws-key': { ...aws, api_key: 'bedrock-api-key-0123456789' },
      },
    },
  })
  const user = [{ role: 'user', content: 'hi' }]
  return {
    upstream,
    gateway,
    last: () => upstream.received.at(-1)!,
    from: (count) => upstream.received.slice(count),
    ask: (model, body = {}) => gateway.ask('/v1/chat/completions', { body: { model, messages: user, ...body } }),
    askClaude: (model, body = {}, headers = {}) =>
      gateway.ask('/v1/messages', { body: { model, max_tokens: 50, messages: user, ...body }, headers }),
    close: async () => {
      await gateway.close()
      await upstream.close()
      rmSync(folder, { recursive: true })
    },
  }
}
