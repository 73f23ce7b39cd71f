import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readModelList } from './model-list.ts'

test('deployments of Azure: the first of a model has its name, a second its own', () => {
  const { models, remarks } = readModelList(
    [
      { id: 'chat', model: 'gpt-5', status: 'succeeded' },
      { id: 'chat-eu', model: 'gpt-5', status: 'succeeded' },
      { id: 'vectors', model: 'text-embedding-3-large' },
      { id: 'begun', model: 'gpt-5-mini', status: 'running' },
      { model: 'nameless' },
    ],
    'azure',
  )
  assert.deepEqual(models, [
    { id: 'gpt-5', upstream_model: 'chat' },
    { id: 'chat-eu', upstream_model: 'chat-eu' },
    { id: 'text-embedding-3-large', upstream_model: 'vectors', capabilities: ['embeddings'] },
  ])
  assert.deepEqual(remarks, ['1 entries of the list cannot be read'])
})

test('models of Bedrock that can be called, and the profiles of others', () => {
  const onDemand = { inferenceTypesSupported: ['ON_DEMAND'] }
  const { models } = readModelList(
    [
      { modelId: 'amazon.nova-lite-v1:0', inputModalities: ['TEXT', 'IMAGE'], outputModalities: ['TEXT'], ...onDemand },
      { modelId: 'amazon.nova-lite-v1:0:300k', outputModalities: ['TEXT'], ...onDemand },
      { modelId: 'amazon.titan-embed-text-v2:0', outputModalities: ['EMBEDDING'], ...onDemand },
      { modelId: 'stability.sd3:0', outputModalities: ['IMAGE'], ...onDemand },
      {
        modelId: 'anthropic.claude-sonnet-4-5-v1:0',
        inputModalities: ['TEXT'],
        outputModalities: ['TEXT'],
        inferenceTypesSupported: ['INFERENCE_PROFILE'],
      },
      {
        inferenceProfileId: 'eu.anthropic.claude-sonnet-4-5-v1:0',
        inferenceProfileName: 'EU Claude',
        status: 'ACTIVE',
        models: [{ modelArn: 'arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-v1:0' }],
      },
    ],
    'bedrock',
  )
  assert.deepEqual(models, [
    { id: 'amazon.nova-lite-v1', upstream_model: 'amazon.nova-lite-v1:0', input_modalities: ['text', 'image'] },
    {
      id: 'amazon.titan-embed-text-v2',
      upstream_model: 'amazon.titan-embed-text-v2:0',
      capabilities: ['embeddings'],
    },
    {
      id: 'eu.anthropic.claude-sonnet-4-5-v1',
      upstream_model: 'eu.anthropic.claude-sonnet-4-5-v1:0',
      name: 'EU Claude',
      input_modalities: ['text'],
    },
  ])
})

test("Cohere's: chat and embeddings, and none that are deprecated or rerank", () => {
  const { models } = readModelList(
    [
      { name: 'command-a', endpoints: ['chat'], context_length: 1000, features: ['tools', 'vision'] },
      { name: 'embed-v4.0', endpoints: ['embed'], features: null },
      { name: 'rerank', endpoints: ['rerank'] },
      { name: 'command', endpoints: ['chat'], is_deprecated: true },
    ],
    'cohere',
  )
  assert.deepEqual(models, [
    {
      id: 'command-a',
      upstream_model: 'command-a',
      context_window: 1000,
      capabilities: ['streaming', 'tools', 'vision'],
    },
    { id: 'embed-v4.0', upstream_model: 'embed-v4.0', capabilities: ['embeddings'] },
  ])
})
