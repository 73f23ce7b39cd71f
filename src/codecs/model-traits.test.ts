import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Protocol } from '#base/protocols.ts'
import { MISTRAL_CALL_IDS } from './legal-call-id.ts'
import { traitsOf } from './model-traits.ts'

const of = (upstreamModel: string, protocol: Protocol, backendType = 'openai-compatible') =>
  traitsOf({
    protocol,
    backendType,
    upstreamModel,
    vendor: 'v',
    capabilities: new Set(),
    outputTokensMax: 100,
    anthropicVersion: '2023-06-01',
  })

test('how each family is asked to reason', () => {
  const styles: [model: string, protocol: Protocol, style: string][] = [
    ['gpt-5-mini', 'openai-chat', 'effort'],
    ['gpt-4o', 'openai-chat', 'none'],
    ['some-model', 'openai-chat', 'effort'],
    ['claude-3-5-haiku-20241022', 'anthropic-messages', 'none'],
    ['claude-3-7-sonnet-20250219', 'anthropic-messages', 'budget'],
    ['claude-sonnet-4-5', 'anthropic-messages', 'budget'],
    ['claude-opus-4-7', 'anthropic-messages', 'adaptive'],
    ['us.anthropic.claude-opus-4-8-v1:0', 'bedrock-converse', 'adaptive'],
    ['us.anthropic.claude-3-5-haiku-20241022-v1:0', 'bedrock-converse', 'none'],
    ['us.anthropic.claude-3-7-sonnet-20250219-v1:0', 'bedrock-converse', 'budget'],
    ['us.meta.llama4-maverick-17b-instruct-v1:0', 'bedrock-converse', 'none'],
    ['nvidia.nemotron-nano-9b-v2', 'bedrock-converse', 'none'],
    ['openai.gpt-oss-120b-1:0', 'bedrock-converse', 'effort'],
    ['gemini-2.5-flash', 'gemini', 'budget'],
    ['gemini-2.0-flash', 'gemini', 'none'],
    ['gemini-3-pro', 'gemini', 'level'],
  ]
  for (const [model, protocol, style] of styles) assert.equal(of(model, protocol).reasoning, style, model)
  assert.equal(of('anthropic/claude-opus-4-7', 'openai-chat', 'openrouter').reasoning, 'openrouter')
})

test('what the families refuse or call otherwise', () => {
  assert.deepEqual(
    [of('o3', 'openai-chat'), of('openai/gpt-5', 'openai-chat'), of('gpt-5-chat-latest', 'openai-chat')].map(
      ({ refusesSampling, usesCompletionTokens }) => [refusesSampling, usesCompletionTokens],
    ),
    [
      [true, true],
      [true, true],
      [false, true],
    ],
  )
  assert.equal(of('claude-opus-4-7', 'anthropic-messages').refusesSampling, true)
  assert.equal(of('claude-opus-4-1', 'anthropic-messages').hasJsonSchema, false)
  assert.equal(of('claude-sonnet-4-5', 'anthropic-messages').hasJsonSchema, true)
  assert.deepEqual(of('gemini-2.5-pro', 'gemini').reasoningBudget, { min: 128, max: 32_768 })
  for (const model of ['mistral-large-latest', 'mistralai/ministral-8b', 'codestral-2508', 'open-mixtral-8x22b'])
    assert.equal(of(model, 'openai-chat').callIds, MISTRAL_CALL_IDS, model)
  assert.equal(of('mistral.mistral-large-2407-v1:0', 'bedrock-converse').callIds, undefined)
  assert.equal(of('gpt-4o', 'openai-chat').callIds, undefined)
  assert.equal(of('gemini-2.5-pro', 'gemini').alwaysReasons, true)
  assert.deepEqual(of('gemini-2.5-flash-lite', 'gemini').reasoningBudget, { min: 512, max: 24_576 })
  assert.equal(of('x', 'openai-chat').outputTokensMax, 100)
  assert.equal(of('x', 'openai-chat').model, 'x')
  assert.deepEqual(
    ['openai', 'azure', 'vllm', 'openrouter'].map((backend) => of('x', 'openai-chat', backend).takesVideo),
    [false, false, true, true],
  )
})

test('a version of the API without sampling values refuses them for every model there', () => {
  const at = (anthropicVersion: string, protocol: Protocol) =>
    traitsOf({
      protocol,
      backendType: 'b',
      upstreamModel: 'claude-sonnet-4-5',
      vendor: 'v',
      capabilities: new Set(),
      outputTokensMax: null,
      anthropicVersion,
    }).refusesSampling
  assert.equal(at('2023-06-01', 'anthropic-messages'), false)
  assert.equal(at('2026-10-21', 'anthropic-messages'), true)
  assert.equal(at('2026-10-21', 'bedrock-converse'), false)
})
