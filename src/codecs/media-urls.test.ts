import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Protocol } from '#base/protocols.ts'
import { mediaUrlsOf } from './media-urls.ts'

type Kind = 'image' | 'document' | 'audio' | 'video'

test('which addresses each target loads itself (R84)', () => {
  const cases: [protocol: Protocol, backend: string, model: string, kind: Kind, url: string, loads: boolean | null][] =
    [
      ['openai-chat', 'openai', 'gpt-4o', 'image', 'http://h.example/a', true],
      ['openai-chat', 'openai', 'gpt-4o', 'document', 'https://h.example/a.pdf', false],
      ['openai-chat', 'openai', 'gpt-4o', 'audio', 'https://h.example/a.mp3', false],
      ['openai-chat', 'openrouter', 'x', 'document', 'https://h.example/a.pdf', true],
      ['openai-chat', 'ollama', 'llava', 'image', 'https://h.example/a', false],
      ['openai-responses', 'openai', 'gpt-5', 'document', 'https://h.example/a.pdf', true],
      ['openai-responses', 'openai', 'gpt-5', 'video', 'https://h.example/a', null],
      ['anthropic-messages', 'anthropic', 'claude', 'image', 'https://h.example/a', true],
      ['anthropic-messages', 'anthropic', 'claude', 'image', 'http://h.example/a', false],
      ['anthropic-messages', 'anthropic', 'claude', 'audio', 'https://h.example/a', null],
      ['bedrock-converse', 'bedrock', 'nova', 'image', 's3://bucket/a', true],
      ['bedrock-converse', 'bedrock', 'nova', 'image', 'https://h.example/a', false],
      ['bedrock-converse', 'bedrock', 'nova', 'audio', 'https://h.example/a', null],
      ['gemini', 'gemini', 'gemini-2.5-pro', 'image', 'gs://bucket/a', true],
      ['gemini', 'gemini', 'x', 'image', 'https://generativelanguage.googleapis.com/v1beta/files/1', true],
      ['gemini', 'gemini', 'x', 'video', 'https://youtu.be/1', true],
      ['gemini', 'gemini', 'x', 'image', 'https://h.example/youtu.be/', false],
      ['gemini', 'gemini', 'gemini-2.0-flash', 'image', 'https://h.example/a.png', false],
      ['gemini', 'gemini', 'gemini-2.5-flash', 'image', 'https://h.example/a.png?size=1', true],
      ['gemini', 'gemini', 'gemini-flash-latest', 'image', 'https://h.example/a.jpeg', true],
      ['gemini', 'gemini', 'gemini-1.5-pro', 'image', 'https://h.example/a.png', false],
      ['gemini', 'gemini', 'gemini-3-pro', 'document', 'https://h.example/b/a.PDF', true],
      ['gemini', 'gemini', 'gemini-3-pro', 'image', 'https://h.example/a', false],
      ['gemini', 'gemini', 'gemini-3-pro', 'image', 'http://h.example/a.png', false],
      ['gemini', 'gemini', 'gemini-3-pro', 'image', 'https://h.png', false],
      ['gemini', 'gemini', 'gemini-3-pro', 'audio', 'https://h.example/a.mp3', false],
      ['gemini', 'gemini-compatible', 'gemini-3-pro', 'image', 'https://h.example/a.png', false],
    ]
  for (const [protocol, backend, model, kind, url, loads] of cases)
    assert.equal(
      mediaUrlsOf(protocol, backend, model)[kind]?.test(url) ?? null,
      loads,
      `${protocol} ${model} ${kind} ${url}`,
    )
})
