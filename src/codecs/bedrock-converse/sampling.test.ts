import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, Sampling } from '#ir/chat-request.ts'
import { CLAUDE, encode, LLAMA, NOVA, reasoning } from './testbed.ts'

const OLD_CLAUDE = 'anthropic.claude-3-haiku-20240307-v1:0'
const paths = { temperature: '/temperature', topP: '/top_p', topK: '/top_k', seed: '/generationConfig/seed' }

function sampled(
  sampling: Sampling,
  target: Partial<TargetTraits> = {},
  request: Partial<ChatRequest> = {},
): unknown[] {
  const { body, losses } = encode({ sampling, paths, ...request }, target)
  return [body['inferenceConfig'], body['additionalModelRequestFields'], ...losses]
}

test('zero is a value, and what is absent stays absent', () => {
  const zeros = { temperature: 0, topP: 0, topK: 0 }
  assert.deepEqual(sampled(zeros, { model: OLD_CLAUDE }, { outputTokensMax: 0, stopSequences: [] }), [
    { maxTokens: 0, temperature: 0, topP: 0, stopSequences: [] },
    { top_k: 0 },
  ])
  assert.deepEqual(sampled({}), [undefined, undefined])
})

test('temperatures above 1 are narrowed; a wrong value is the upstream to refuse', () => {
  const narrowed = 'narrowed /temperature: Bedrock takes temperatures up to 1'
  assert.deepEqual(sampled({ temperature: 1.5 }), [{ temperature: 1 }, undefined, narrowed])
  assert.deepEqual(sampled({ temperature: 1 }), [{ temperature: 1 }, undefined])
  assert.deepEqual(sampled({ temperature: 'hot' }), [{ temperature: 'hot' }, undefined])
})

test('newer Claudes take temperature or top_p and not both', () => {
  const both = { temperature: 0.5, topP: 0.9 }
  const dropped = 'dropped /top_p: the model takes temperature or top_p and not both'
  for (const model of [CLAUDE, 'anthropic.claude-opus-4-1-20250805-v1:0', 'us.anthropic.claude-sonnet-5'])
    assert.deepEqual(sampled(both, { model }), [{ temperature: 0.5 }, undefined, dropped], model)
  for (const model of [OLD_CLAUDE, 'anthropic.claude-sonnet-4-20250514-v1:0', NOVA, LLAMA])
    assert.deepEqual(sampled(both, { model }), [both, undefined], model)
  assert.deepEqual(sampled({ topP: 0.9 }), [{ topP: 0.9 }, undefined])
})

test('top_k stands where the maker wants it', () => {
  assert.deepEqual(sampled({ topK: 5 }), [undefined, { top_k: 5 }])
  assert.deepEqual(sampled({ topK: 5 }, { model: NOVA }), [undefined, { inferenceConfig: { topK: 5 } }])
  assert.deepEqual(sampled({ topK: 5 }, { model: LLAMA }), [
    undefined,
    undefined,
    'dropped /top_k: the model has no place for top_k',
  ])
})

test('values that Converse does not know', () => {
  const unknown = { presencePenalty: 0, frequencyPenalty: 1, seed: 7, logitBias: {}, minP: 0.1, repetitionPenalty: 1 }
  assert.deepEqual(sampled(unknown), [
    undefined,
    undefined,
    'dropped /presencePenalty: Bedrock has no presencePenalty',
    'dropped /frequencyPenalty: Bedrock has no frequencyPenalty',
    'dropped /generationConfig/seed: Bedrock has no seed',
    'dropped /logitBias: Bedrock has no logitBias',
    'dropped /minP: Bedrock has no minP',
    'dropped /repetitionPenalty: Bedrock has no repetitionPenalty',
  ])
})

test('a model that refuses sampling values gets none', () => {
  const reason = 'the model takes no sampling values'
  assert.deepEqual(sampled({ temperature: 1, topP: 0.9, topK: 5 }, { refusesSampling: true }), [
    undefined,
    undefined,
    `dropped /temperature: ${reason}`,
    `dropped /top_p: ${reason}`,
    `dropped /top_k: ${reason}`,
  ])
})

test('neither does one that thinks, but for what it does anyway', () => {
  const thinks = { reasoning: reasoning({ budgetTokens: 2000 }), outputTokensMax: 8000 }
  const fields = { thinking: { type: 'enabled', budget_tokens: 2000 } }
  const reason = 'the model takes no sampling values while it thinks'
  assert.deepEqual(sampled({ temperature: 1 }, {}, thinks), [{ maxTokens: 8000, temperature: 1 }, fields])
  assert.deepEqual(sampled({ temperature: 0, topK: 5 }, {}, thinks), [
    { maxTokens: 8000 },
    fields,
    `dropped /temperature: ${reason}`,
    `dropped /top_k: ${reason}`,
  ])
})
