import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import AnthropicOld from 'anthropic-sdk-07x'
import { STORY } from './story.ts'
import { startSimulator } from './index.ts'
import type { Simulator } from './index.ts'

let simulator: Simulator
before(async () => {
  simulator = await startSimulator({ storyPaceMs: 0 })
})
after(() => simulator.close())

const user = (content: string) => [{ role: 'user' as const, content }]
const tools = [
  {
    name: 'weather',
    input_schema: { type: 'object' as const, properties: { city: { type: 'string' }, days: { type: 'number' } } },
  },
  { name: 'clock', input_schema: { type: 'object' as const, properties: {} } },
]

const SDKS = { '1.x': Anthropic, '0.7x': AnthropicOld as unknown as typeof Anthropic }

for (const [version, Sdk] of Object.entries(SDKS)) {
  describe(`messages with the ${version} SDK`, () => {
    let client: Anthropic
    before(() => {
      client = new Sdk({ baseURL: simulator.url, apiKey: 'any', maxRetries: 0 })
    })

    test('echo, with a system prompt', async () => {
      const message = await client.messages.create({
        model: 'sim/echo',
        max_tokens: 100,
        system: [{ type: 'text', text: 'Be brief.' }],
        messages: user('Grüße 🛶'),
      })
      assert.deepEqual(message.content, [{ type: 'text', text: 'Grüße 🛶', citations: null }])
      assert.deepEqual([message.stop_reason, message.stop_sequence], ['end_turn', null])
      assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [5, 2])
    })

    test('story streams word by word and folds to the whole', async () => {
      const stream = client.messages.stream({ model: 'sim/story', max_tokens: 8192, messages: user('tell') })
      const types: string[] = []
      stream.on('streamEvent', (event) => types.push(event.type))
      const message = await stream.finalMessage()
      assert.deepEqual(message.content[0], { type: 'text', text: STORY, citations: null })
      assert.equal(message.usage.output_tokens, Math.ceil(STORY.length / 4))
      assert.equal(types[0], 'message_start')
      assert.deepEqual(types.slice(-3), ['content_block_stop', 'message_delta', 'message_stop'])
      assert.ok(types.length > 150)
    })

    test('think signs its reasoning, whole and streamed alike, and refuses an altered signature', async () => {
      const request = { model: 'sim/think', max_tokens: 1000, messages: user('why?') }
      const message = await client.messages.create(request)
      const streamed = await client.messages.stream(request).finalMessage()
      assert.deepEqual(streamed.content, message.content)
      assert.deepEqual(
        message.content.map((block) => block.type),
        ['thinking', 'text'],
      )
      const [thinking] = message.content
      assert.ok(thinking?.type === 'thinking' && thinking.signature)
      const replay = (signature: string) =>
        client.messages.create({
          ...request,
          messages: [
            ...request.messages,
            { role: 'assistant', content: [{ ...thinking, signature }] },
            ...user('and then?'),
          ],
        })
      assert.ok(await replay(thinking.signature))
      await assert.rejects(replay(`x${thinking.signature}`), { status: 400 })
    })

    test('tools: a streamed call with thinking, its result, a sentence', async () => {
      const request = { model: 'sim/tools', max_tokens: 2000, tools, messages: user('Oslo for 2.5 days') }
      const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
      const first = await client.messages.stream({ ...request, thinking }).finalMessage()
      assert.equal(first.stop_reason, 'tool_use')
      const call = first.content.find((block) => block.type === 'tool_use')!
      assert.deepEqual([call.name, call.input], ['weather', { city: 'Oslo for 2.5 days', days: 2.5 }])
      assert.equal(first.content[0]?.type, 'thinking')
      const second = await client.messages.create({
        ...request,
        thinking,
        messages: [
          ...request.messages,
          { role: 'assistant', content: first.content },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }] },
        ],
      })
      assert.equal(second.content.find((block) => block.type === 'text')?.text, 'The tool answered: rain')
      const parallel = await client.messages.create({ ...request, messages: user('In parallel, please') })
      assert.equal(parallel.content.length, 2)
      const forced = await client.messages.create({ ...request, tool_choice: { type: 'tool', name: 'clock' } })
      assert.ok(forced.content[0]?.type === 'tool_use' && forced.content[0].name === 'clock')
    })

    test('vision, stop sequences, the output limit and counting', async () => {
      const png = Buffer.from('89504e470d0a1a0a0000000d494844520000028000000168', 'hex')
      const source = { type: 'base64' as const, media_type: 'image/png' as const, data: png.toString('base64') }
      const seen = await client.messages.create({
        model: 'sim/vision',
        max_tokens: 100,
        messages: [{ role: 'user', content: [{ type: 'image', source }] }],
      })
      assert.ok(seen.content[0]?.type === 'text')
      assert.equal(seen.content[0].text, 'Image 1: image/png, 24 bytes, 640 x 360 pixels.')
      const echo = { model: 'sim/echo', max_tokens: 100, messages: user('one END two') }
      const stopped = await client.messages.create({ ...echo, stop_sequences: ['two', 'END'] })
      assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', 'END'])
      const cut = await client.messages.create({ ...echo, max_tokens: 1 })
      assert.deepEqual([cut.stop_reason, cut.usage.output_tokens], ['max_tokens', 1])
      const counted = await client.messages.countTokens({ model: 'sim/echo', messages: user('12345678') })
      assert.deepEqual(counted, { input_tokens: 2 })
    })

    test('errors raise the typed exceptions', async () => {
      const create = (fields: object) =>
        client.messages.create({ model: 'sim/echo', max_tokens: 10, messages: user('a'), ...fields })
      await assert.rejects(create({ model: 'sim/nothing' }), (error) => error instanceof Sdk.NotFoundError)
      await assert.rejects(create({ max_tokens: undefined }), (error) => error instanceof Sdk.BadRequestError)
      await assert.rejects(create({ model: 'sim/fault-401' }), (error) => error instanceof Sdk.AuthenticationError)
      await assert.rejects(create({ model: 'sim/fault-529' }), { status: 529, message: /overloaded_error/ })
    })
  })
}
