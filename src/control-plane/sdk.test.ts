import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic, { AuthenticationError as AnthropicAuthenticationError } from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OldAnthropic from 'anthropic-sdk-07x'
import OpenAI, { AuthenticationError, NotFoundError } from 'openai'
import { startTestbed, type Testbed } from './testbed.ts'

describe("the vendors' own SDKs list models", () => {
  let bed: Testbed
  let root: string
  let key: string
  let expected: string[]
  before(async () => {
    bed = await startTestbed()
    root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    key = (await bed.keys.create({ name: 'user', accountId: id })).plaintext
    expected = (await bed.ask('GET', '/v1/models', { key })).json.data.map((one: { id: string }) => one.id).sort()
  })
  after(() => bed.close())

  test('openai, on /v1 and on /api/v1', async () => {
    for (const baseURL of [`${root}/v1`, `${root}/api/v1`]) {
      const client = new OpenAI({ apiKey: key, baseURL })
      const ids: string[] = []
      for await (const model of client.models.list({ query: { output_modalities: 'all' } })) ids.push(model.id)
      assert.deepEqual(ids.sort(), expected)
      assert.equal((await client.models.retrieve(expected[0]!)).object, 'model')
      await assert.rejects(client.models.retrieve('no-such-model'), NotFoundError)
    }
  })

  test('anthropic, new and old, on the root and on its aliases', async () => {
    for (const baseURL of [root, `${root}/v1`, `${root}/api`, `${root}/api/v1`, `${root}/anthropic`]) {
      for (const client of [new Anthropic({ apiKey: key, baseURL }), new OldAnthropic({ apiKey: key, baseURL })]) {
        const ids: string[] = []
        for await (const model of client.models.list({ limit: 3 })) ids.push(model.id)
        assert.deepEqual(ids.sort(), expected)
      }
    }
  })

  test('google, on the root and on /v1beta', async () => {
    for (const baseUrl of [root, `${root}/v1beta`, `${root}/api/v1beta`]) {
      const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl } })
      const ids: string[] = []
      for await (const model of await client.models.list({ config: { pageSize: 7 } })) {
        ids.push(model.name!.replace(/^models\//, ''))
      }
      assert.deepEqual(ids.sort(), expected, baseUrl)
    }
  })

  test('a wrong key is their own authentication error, at once and with our request id', async () => {
    const openai = new OpenAI({ apiKey: 'wrong', baseURL: `${root}/v1` })
    await assert.rejects(openai.models.list(), (error) => {
      assert.ok(error instanceof AuthenticationError)
      assert.equal(error.code, 'invalid_api_key')
      assert.match(String(error.requestID), /^req_/)
      return true
    })
    const anthropic = new Anthropic({ apiKey: 'wrong', baseURL: root })
    await assert.rejects(anthropic.models.list(), (error) => {
      assert.ok(error instanceof AnthropicAuthenticationError)
      assert.match(String(error.requestID), /^req_/)
      return true
    })
    const google = new GoogleGenAI({ apiKey: 'wrong', httpOptions: { baseUrl: root } })
    await assert.rejects(google.models.list(), { status: 401 })
  })
})
