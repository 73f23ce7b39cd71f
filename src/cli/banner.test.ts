import assert from 'node:assert/strict'
import { test } from 'node:test'
import { banner, type Running } from './banner.ts'

const RUNNING: Running = {
  url: 'http://127.0.0.1:8000',
  gatewayUrl: 'https://gateway.example.com',
  masterKey: { value: 'tmk-secret', fresh: false },
  firstKey: null,
  providersFound: ['openai'],
  modelCount: 7,
  simulator: false,
  dataDir: './data',
}
const shown = (change: Partial<Running>, exampleModel: string | null = 'gpt-x') =>
  banner({ ...RUNNING, ...change }, { version: '1.2.3', exampleModel })

test('shows the base URLs and a command with the key in the environment', () => {
  const text = shown({})
  assert.match(text, /Trivium 1\.2\.3/)
  assert.match(text, /OpenAI\s+https:\/\/gateway\.example\.com\/v1\n/)
  assert.match(text, /7 from openai/)
  assert.match(text, /Bearer \$TRIVIUM_API_KEY/)
  assert.ok(!text.includes('tmk-secret'))
})

test('shows secrets only when this start made them', () => {
  const text = shown({ masterKey: { value: 'tmk-secret', fresh: true }, firstKey: 'sk-first' })
  assert.match(text, /tmk-secret/)
  assert.match(text, /Bearer sk-first/)
})

test('says that the simulator answers, or that nothing can be called', () => {
  assert.match(shown({ providersFound: [], simulator: true }), /built-in simulator/)
  assert.match(shown({ providersFound: [], modelCount: 0 }, null), /trivium doctor/)
})
