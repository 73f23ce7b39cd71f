import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seal } from '#ir/blocks.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { dataOf } from '#codecs/testbed.ts'
import { ANSWER_ID, contextOf, decoded, LEVEL_TARGET, sent, streamed } from './testbed.ts'
import { geminiClient } from './translation.ts'

/** What holds for both halves together. */

const roundTrip = (body: Readonly<Record<string, unknown>>) => sent(decoded(body), LEVEL_TARGET)

test('a request in the plain form comes out as it was', () => {
  const body = {
    contents: [
      {
        role: 'user',
        parts: [
          { text: 'a' },
          { inlineData: { mimeType: 'image/png', data: 'AA==', displayName: 'x' }, videoMetadata: { fps: 1 } },
          { fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/v' } },
        ],
      },
      {
        role: 'model',
        parts: [
          { text: 't', thought: true },
          { text: 't', thought: true, thoughtSignature: 's1' },
          { functionCall: { id: 'i', name: 'f', args: { b: [0, '', false, null] } }, thoughtSignature: 's2' },
          { functionCall: { name: 'g', args: {} } },
          { executableCode: { language: 'PYTHON', code: '1' } },
        ],
      },
      {
        role: 'user',
        parts: [
          {
            functionResponse: {
              id: 'i',
              name: 'f',
              response: { temperature: 0 },
              parts: [{ inlineData: { mimeType: 'image/png', data: 'AA==' } }],
              scheduling: 'SILENT',
            },
          },
          { functionResponse: { id: 'unknown', name: 'g', response: { error: 'no' } } },
        ],
      },
      { role: 'model', parts: [{ text: '', thoughtSignature: 's3' }] },
    ],
    systemInstruction: { parts: [{ text: 's' }] },
    tools: [
      {
        functionDeclarations: [
          { name: 'f', description: 'd', parametersJsonSchema: { type: 'object' }, behavior: 'X' },
        ],
      },
      { googleSearch: { timeRangeFilter: {} } },
    ],
    toolConfig: {
      functionCallingConfig: { mode: 'VALIDATED', allowedFunctionNames: ['f'], streamFunctionCallArguments: true },
      retrievalConfig: { languageCode: 'en' },
    },
    generationConfig: {
      temperature: 0,
      maxOutputTokens: 9,
      stopSequences: [],
      candidateCount: 1,
      responseLogprobs: true,
      logprobs: 0,
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'array' },
      thinkingConfig: { thinkingLevel: 'low', includeThoughts: false },
      responseModalities: ['TEXT'],
    },
    safetySettings: [{ category: 'c', threshold: 't' }],
    cachedContent: 'cachedContents/x',
    serviceTier: 'priority',
  }
  assert.deepEqual(roundTrip(body).body, body)
  assert.deepEqual(roundTrip(body).losses, [])
})

test('a call in pieces comes out in its pieces', () => {
  const contents = [
    {
      role: 'model',
      parts: [
        { functionCall: { name: 'f', willContinue: true }, thoughtSignature: 's' },
        { functionCall: { partialArgs: [{ jsonPath: '$.a', numberValue: 0 }], willContinue: true } },
        { functionCall: {} },
      ],
    },
  ]
  assert.deepEqual(roundTrip({ contents }).body, { contents })
})

/** The content that a Gemini client would put into its history, from the events of a stream. */
function historyOf(events: readonly ChatEvent[], keep: (part: Record<string, unknown>) => boolean): unknown {
  const encoder = geminiClient.openEncoder(contextOf())
  const text = [...events.map((event) => encoder.push(event)), encoder.end()].join('')
  const parts = dataOf(text).flatMap((data) => {
    const { candidates } = data as { candidates: { content: { parts: Record<string, unknown>[] } }[] }
    return candidates[0]!.content.parts
  })
  return { role: 'model', parts: parts.filter(keep) }
}

test('seals of another issuer survive a client of Gemini, with its thoughts and without', () => {
  const seal: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 'EqQB+/==' }
  const hidden: Seal = { issuer: 'anthropic-messages', kind: 'encrypted', value: 'redacted' }
  const events: ChatEvent[] = [
    { type: 'response-start', id: null, model: null, createdAt: null },
    { type: 'block-start', index: 0, candidate: 0, block: { type: 'reasoning', id: null, isSummary: false } },
    { type: 'block-delta', index: 0, text: 'I ' },
    { type: 'block-delta', index: 0, text: 'think 😀' },
    { type: 'block-seal', index: 0, seal },
    { type: 'block-end', index: 0 },
    { type: 'block-start', index: 1, candidate: 0, block: { type: 'reasoning', id: null, isSummary: false } },
    { type: 'block-seal', index: 1, seal: hidden },
    { type: 'block-end', index: 1 },
    { type: 'block-start', index: 2, candidate: 0, block: { type: 'text' } },
    { type: 'block-delta', index: 2, text: 'Looking.' },
    { type: 'block-end', index: 2 },
    {
      type: 'block-start',
      index: 3,
      candidate: 0,
      block: { type: 'tool-call', id: 'toolu_1', name: 'f', kind: 'function' },
    },
    { type: 'block-end', index: 3 },
    { type: 'finish', candidate: 0, reason: 'tool-calls', raw: 'tool_use', stopSequence: null },
  ]
  for (const keep of [() => true, (part: Record<string, unknown>) => part['thought'] !== true]) {
    const [turn] = decoded({ contents: [historyOf(events, keep)] }).turns
    const blocks = turn!.blocks
      .filter((block) => block.type !== 'text' || block.text !== '')
      .map((block) => (block.type === 'reasoning' ? [block.text, block.seal] : [block.type]))
    assert.deepEqual(blocks, [['I think 😀', seal], ['', hidden], ['text'], ['tool-call']])
  }
})

test('an id of our own goes back to Gemini as none', () => {
  const { events } = streamed({
    candidates: [{ content: { parts: [{ functionCall: { name: 'f', args: {} } }] }, finishReason: 'STOP' }],
  })
  const content = historyOf(events, (part) => 'functionCall' in part)
  const id = `call_${ANSWER_ID}_0`
  assert.deepEqual(content, { role: 'model', parts: [{ functionCall: { id, name: 'f', args: {} } }] })
  const result = { role: 'user', parts: [{ functionResponse: { id, name: 'f', response: { result: 1 } } }] }
  const { body } = sent(decoded({ contents: [content, result] }))
  assert.deepEqual(body, {
    contents: [
      { role: 'model', parts: [{ functionCall: { name: 'f', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: { result: 1 } } }] },
    ],
  })
})

test('a text that passes both halves is the same, character for character', () => {
  const text = 'é😀\u2028\u0000\ud800 "\\/'
  const { events } = streamed({ candidates: [{ content: { parts: [{ text }] }, finishReason: 'STOP' }] })
  assert.deepEqual(
    historyOf(events, (part) => part['text'] !== ''),
    { role: 'model', parts: [{ text }] },
  )
})
