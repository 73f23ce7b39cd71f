import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ApiError, type Content, FunctionCallingConfigMode, GoogleGenAI } from '@google/genai'
import { startTestGateway, type TestGateway } from './gateway.ts'

/** Google's own SDK with every base URL that its users write, in front of the simulator (R6, C5). */

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const LONG = 'Grüße aus 東京, a longer text 🚀 with many words in it. '.repeat(5).trim()
const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { sim: { type: 'simulator' } } } })
})
after(() => gateway.close())

const clientAt = (path: string, apiKey = gateway.key, apiVersion?: string): GoogleGenAI =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl: gateway.url + path, ...(apiVersion && { apiVersion }) } })

const BASES = [
  { path: '' },
  { path: '/v1beta' },
  { path: '/api/v1beta' },
  { path: '', apiVersion: 'v1beta' },
  { path: '/v1beta', apiVersion: 'v1beta' },
]
for (const { path, apiVersion } of BASES) {
  test(`base URL {GW}${path}${apiVersion ? `, version ${apiVersion}` : ''}: text, stream, count, embed, list`, async () => {
    const { models } = clientAt(path, gateway.key, apiVersion)
    const ask = { model: 'sim/echo', contents: LONG }
    const whole = await models.generateContent(ask)
    assert.equal(whole.text, LONG)
    assert.equal(whole.modelVersion, 'sim/echo')
    assert.equal(whole.candidates![0]!.finishReason, 'STOP')
    const { promptTokenCount: prompt, candidatesTokenCount: output, totalTokenCount: total } = whole.usageMetadata!
    assert.equal(total, prompt! + output!)
    const row = await gateway.log(whole.sdkHttpResponse!.headers!['x-request-id']!)
    assert.deepEqual([row.tokens.input, row.tokens.output, row.protocol], [prompt, output, 'gemini'])

    const texts: string[] = []
    for await (const chunk of await models.generateContentStream(ask)) texts.push(chunk.text ?? '')
    assert.ok(texts.length > 2)
    assert.equal(texts.join(''), LONG)

    assert.equal((await models.countTokens(ask)).totalTokens, prompt)
    const embedded = await models.embedContent({ model: 'sim/embed', contents: ['a', 'b'] })
    assert.equal(embedded.embeddings!.length, 2)
    assert.ok(embedded.embeddings![0]!.values!.length > 1)

    const ids: string[] = []
    for await (const model of await models.list()) ids.push(model.name!.replace(/^models\//, ''))
    for (const id of ['gpt-test', 'claude-test', 'gemini-test', 'sim/echo']) assert.ok(ids.includes(id), id)
  })
}

describe('@google/genai', () => {
  for (const stream of [false, true]) {
    test(`a tool loop with signed thoughts, ${stream ? 'streamed' : 'whole'}`, async () => {
      const { models } = clientAt('')
      const config = {
        tools: [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: PARAMETERS }] }],
        toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
        thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 },
      }
      const run = async (contents: Content[]): Promise<Content> => {
        const ask = { model: 'sim/tools', contents, config }
        if (!stream) return (await models.generateContent(ask)).candidates![0]!.content!
        const parts: Content['parts'] = []
        for await (const chunk of await models.generateContentStream(ask))
          parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []))
        return { role: 'model', parts }
      }
      const question = { role: 'user', parts: [{ text: 'weather in Paris?' }] }
      const first = await run([question])
      const call = first.parts!.find((part) => part.functionCall)!
      assert.equal(call.functionCall!.name, 'weather')
      assert.ok(first.parts!.some((part) => part.thoughtSignature))
      const response = { name: 'weather', id: call.functionCall!.id, response: { output: '21 degrees' } }
      const answered = { role: 'user', parts: [{ functionResponse: response as { name: string } }] }
      const second = await run([question, first, answered])
      const text = second.parts!.map((part) => (part.thought ? '' : (part.text ?? ''))).join('')
      assert.match(text, /The tool answered: 21 degrees/)
      const altered = first.parts!.map((part) =>
        part.thoughtSignature ? { ...part, thoughtSignature: Buffer.from('not mine').toString('base64') } : part,
      )
      await assert.rejects(run([question, { role: 'model', parts: altered }, answered]), /signature/)
    })
  }

  test('structured output, a system instruction, an image, a chat', async () => {
    const client = clientAt('')
    const object = await client.models.generateContent({
      model: 'sim/echo',
      contents: 'Paris',
      config: { responseMimeType: 'application/json', responseJsonSchema: PARAMETERS, systemInstruction: 'Be short.' },
    })
    assert.deepEqual(Object.keys(JSON.parse(object.text!)), ['city'])
    const seen = await client.models.generateContent({
      model: 'sim/vision',
      contents: [{ role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data: PIXEL } }] }],
    })
    assert.match(seen.text!, /image\/png, \d+ bytes, 1 x 1 pixels/)
    const chat = client.chats.create({ model: 'sim/echo' })
    await chat.sendMessage({ message: 'first' })
    assert.equal((await chat.sendMessage({ message: 'second' })).text, 'second')
    assert.equal(chat.getHistory().length, 4)
  })

  test('models.get knows an id with a slash', async () => {
    assert.equal((await clientAt('').models.get({ model: 'sim/echo' })).name, 'models/sim/echo')
  })

  test('a wrong key and an unknown model are the SDK’s own errors', async () => {
    const isStatus = (status: number, text: RegExp) => (error: unknown) => {
      assert.ok(error instanceof ApiError)
      assert.equal(error.status, status)
      assert.match(error.message, text)
      return true
    }
    const ask = { model: 'sim/echo', contents: 'a' }
    const wrong = clientAt('', 'wrong')
    await assert.rejects(wrong.models.generateContent(ask), isStatus(401, /UNAUTHENTICATED/))
    await assert.rejects(wrong.models.generateContentStream(ask), isStatus(401, /UNAUTHENTICATED/))
    await assert.rejects(wrong.models.countTokens(ask), isStatus(401, /UNAUTHENTICATED/))
    const { models } = clientAt('')
    await assert.rejects(models.generateContent({ ...ask, model: 'sim/ecko' }), isStatus(404, /NOT_FOUND/))
    await assert.rejects(models.generateContent({ ...ask, model: 'sim/ecko' }), /sim\/echo/)
  })
})
