import type { SignerName } from '#test/upstream/signers.ts'
import { PRICE } from './gateway.ts'

/** Models that sign their reasoning, one for each signing upstream. */
export const SIGNED_MODELS: Readonly<Record<SignerName, string>> = {
  anthropic: 'claude-sonnet-4-5',
  gemini: 'gemini-3-pro',
  responses: 'gpt-5.1',
  converse: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
}

const BACKENDS: Readonly<Record<SignerName, string>> = {
  anthropic: 'anthropic',
  gemini: 'gemini',
  responses: 'openai',
  converse: 'bedrock',
}

/** What replaces members of `configFor`. */
export function signedConfig(upstreamUrl: string): Record<string, object> {
  const names = Object.keys(SIGNED_MODELS) as SignerName[]
  return {
    models: names.map((name) => ({
      id: SIGNED_MODELS[name],
      context_window: 200_000,
      max_output: 16_000,
      capabilities: ['streaming', 'tools', 'reasoning'],
      price: PRICE,
    })),
    routes: names.map((name) => ({
      model: SIGNED_MODELS[name],
      backend: BACKENDS[name],
      ...(name === 'responses' ? { protocols: ['openai-responses'] } : {}),
      // Claude at Bedrock is called through InvokeModel unless a route says otherwise.
      ...(name === 'converse' ? { protocols: ['bedrock-converse'] } : {}),
    })),
    backends: { bedrock: { type: 'bedrock', region: 'us-east-1', api_url: upstreamUrl, api_key: 'bedrock-key' } },
  }
}
