import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { FunctionCallingConfigMode, GoogleGenAI } from '@google/genai'
import { STORY } from './story.ts'
import { startSimulator } from './index.ts'
import type { Simulator } from './index.ts'

let simulator: Simulator
let models: GoogleGenAI['models']

before(async () => {
  simulator = await startSimulator({ storyPaceMs: 0 })
  models = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: simulator.url } }).models
})
after(() => simulator.close())

const parametersJsonSchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const tools = [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema }, { name: 'clock' }] }]

const post = (path: string, body: object) =>
  fetch(`${simulator.url}${path}`, { method: 'POST', body: JSON.stringify(body) })

describe('generateContent', () => {
  test('echo, with a system instruction and consistent totals', async () => {
    const answer = await models.generateContent({
      model: 'sim/echo',
      contents: 'Grüße 🛶',
      config: { systemInstruction: 'Be brief.' },
    })
    assert.equal(answer.text, 'Grüße 🛶')
    assert.equal(answer.candidates?.[0]?.finishReason, 'STOP')
    const usage = answer.usageMetadata!
    assert.deepEqual([usage.promptTokenCount, usage.candidatesTokenCount, usage.totalTokenCount], [5, 2, 7])
  })

  test('story streams as events and, without alt=sse, as one JSON array', async () => {
    const chunks = await Array.fromAsync(await models.generateContentStream({ model: 'sim/story', contents: 'tell' }))
    assert.equal(chunks.map((chunk) => chunk.text ?? '').join(''), STORY)
    assert.ok(chunks.length > 150)
    assert.equal(chunks.at(-1)?.candidates?.[0]?.finishReason, 'STOP')
    const path = '/v1beta/models/sim/story:streamGenerateContent'
    const response = await post(path, { contents: [{ parts: [{ text: 'tell' }] }] })
    const array = (await response.json()) as unknown[]
    assert.equal(array.length, chunks.length)
  })

  test('think shows thoughts unless told not to, and candidates exclude them', async () => {
    const whole = await models.generateContent({ model: 'sim/think', contents: 'why?' })
    const parts = whole.candidates![0]!.content!.parts!
    assert.deepEqual([parts[0]?.thought, typeof parts[1]?.thoughtSignature], [true, 'string'])
    const usage = whole.usageMetadata!
    const sum = usage.promptTokenCount! + usage.candidatesTokenCount! + usage.thoughtsTokenCount!
    assert.equal(usage.totalTokenCount, sum)
    const chunks = await Array.fromAsync(await models.generateContentStream({ model: 'sim/think', contents: 'why?' }))
    const streamed = chunks.flatMap((chunk) => chunk.candidates![0]!.content!.parts!)
    const thoughts = streamed.filter((part) => part.thought).map((part) => part.text)
    assert.equal(thoughts.join(''), parts[0]?.text)
    assert.equal(streamed.at(-1)?.thoughtSignature, parts[1]?.thoughtSignature)
    const thinkingConfig = { includeThoughts: false }
    const quiet = await models.generateContent({ model: 'sim/think', contents: 'why?', config: { thinkingConfig } })
    assert.equal(quiet.candidates![0]!.content!.parts!.length, 1)
    const turn = (thoughtSignature: string) => [
      { role: 'user', parts: [{ text: 'why?' }] },
      { role: 'model', parts: [{ text: whole.text!, thoughtSignature }] },
      { role: 'user', parts: [{ text: 'more' }] },
    ]
    const seal = parts[1]!.thoughtSignature!
    assert.match((await models.generateContent({ model: 'sim/think', contents: turn(seal) })).text!, /more/)
    const altered = models.generateContent({ model: 'sim/think', contents: turn(seal.toLowerCase()) })
    await assert.rejects(altered, { status: 400 })
  })

  test('tools: a call, its response, a sentence; forced and parallel ones too', async () => {
    const first = await models.generateContent({ model: 'sim/tools', contents: 'Oslo', config: { tools } })
    const [call] = first.functionCalls!
    assert.deepEqual([call?.name, call?.args], ['weather', { city: 'Oslo' }])
    const functionResponse = { name: 'weather', ...(call?.id && { id: call.id }), response: { output: 'rain' } }
    const contents = [
      { role: 'user', parts: [{ text: 'Oslo' }] },
      first.candidates![0]!.content!,
      { role: 'user', parts: [{ functionResponse }] },
    ]
    const second = await models.generateContent({ model: 'sim/tools', contents, config: { tools } })
    assert.equal(second.text, 'The tool answered: rain')
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['clock'] }
    const config = { tools, toolConfig: { functionCallingConfig } }
    const forced = await models.generateContent({ model: 'sim/tools', contents: 'Oslo', config })
    assert.equal(forced.functionCalls?.[0]?.name, 'clock')
    const stream = await models.generateContentStream({ model: 'sim/tools', contents: 'parallel', config: { tools } })
    const calls = (await Array.fromAsync(stream)).flatMap((chunk) => chunk.functionCalls ?? [])
    assert.deepEqual(
      calls.map((one) => one.name),
      ['weather', 'clock'],
    )
  })

  test('vision, structured output, stop sequences, the output limit and counting', async () => {
    // SOI, a comment segment, then the frame header: 200 high, 300 wide.
    const jpeg = Buffer.from('ffd8fffe00040000ffc000110800c8012c03', 'hex')
    const inlineData = { mimeType: 'image/jpeg', data: jpeg.toString('base64') }
    const seen = await models.generateContent({ model: 'sim/vision', contents: [{ inlineData }] })
    assert.equal(seen.text, 'Image 1: image/jpeg, 18 bytes, 300 x 200 pixels.')
    const config = { responseMimeType: 'application/json', responseJsonSchema: parametersJsonSchema }
    const shaped = await models.generateContent({ model: 'sim/echo', contents: 'Oslo', config })
    assert.deepEqual(JSON.parse(shaped.text!), { city: 'Oslo' })
    const stopSequences = ['END']
    const stopped = await models.generateContent({ model: 'sim/echo', contents: 'a END', config: { stopSequences } })
    assert.equal(stopped.text, 'a ')
    const cut = await models.generateContent({ model: 'sim/story', contents: 'a', config: { maxOutputTokens: 2 } })
    assert.deepEqual([cut.text, cut.candidates?.[0]?.finishReason], [STORY.slice(0, 8), 'MAX_TOKENS'])
    assert.equal((await models.countTokens({ model: 'sim/echo', contents: '12345678' })).totalTokens, 2)
  })

  test('snake case names mean the same', async () => {
    const response = await post('/v1beta/models/sim/vision:generateContent', {
      system_instruction: { parts: [{ text: 'Be brief.' }] },
      contents: [{ parts: [{ inline_data: { mime_type: 'image/gif', data: 'R0lGODlhAQACAA==' } }] }],
      generation_config: { max_output_tokens: 100 },
    })
    assert.match(await response.text(), /image\/gif, 10 bytes, 1 x 2 pixels/)
  })

  test('embeddings, one and many', async () => {
    const config = { outputDimensionality: 8 }
    const many = await models.embedContent({ model: 'sim/embed', contents: ['a', 'b'], config })
    assert.deepEqual(
      many.embeddings?.map((one) => one.values?.length),
      [8, 8],
    )
    const response = await post('/v1beta/models/sim%2Fembed:embedContent', {
      content: { parts: [{ text: 'a' }] },
      outputDimensionality: 8,
    })
    assert.deepEqual(await response.json(), { embedding: { values: many.embeddings?.[0]?.values } })
  })

  test('errors have the native shape', async () => {
    await assert.rejects(models.generateContent({ model: 'sim/nothing', contents: 'a' }), { status: 404 })
    const response = await post('/v1beta/models/sim/fault-429:generateContent', { contents: [{ parts: [] }] })
    const body = (await response.json()) as { error: { code: number; status: string } }
    assert.deepEqual([response.status, body.error.code, body.error.status], [429, 429, 'RESOURCE_EXHAUSTED'])
    assert.equal(response.headers.get('retry-after'), '1')
  })
})
