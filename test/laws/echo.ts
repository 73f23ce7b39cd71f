import type { ChatEvent } from '#ir/chat-event.ts'
import { decodeStream } from './answers.ts'
import { answerContext, type ChatProtocol, clientOf, type ClientProtocol } from './exchanges.ts'

/** What the clients of each protocol make of an answer: the assistant's turn of their next request, and the results of its calls. */

type Members = Record<string, unknown>

/** The next request of a client that got these events as its answer, whole or streamed. */
export function nextRequest(
  client: ClientProtocol,
  upstream: ChatProtocol,
  events: readonly ChatEvent[],
  isStreamed = false,
): Members {
  if (!isStreamed) return requestAfter(client, wholeOf(client, upstream, events))
  // A client folds the stream into what the whole answer would have been: to it all of it is its own protocol's.
  return requestAfter(client, wholeOf(client, client, streamedTo(client, upstream, events)))
}

function wholeOf(client: ClientProtocol, upstream: ChatProtocol, events: readonly ChatEvent[]): Members {
  const answer = clientOf(client).encodeWhole(events, answerContext(client, upstream, false))
  return JSON.parse(JSON.stringify(answer)) as Members
}

function streamedTo(
  client: ClientProtocol,
  upstream: ChatProtocol,
  events: readonly ChatEvent[],
): readonly ChatEvent[] {
  const encoder = clientOf(client).openEncoder(answerContext(client, upstream, true))
  const text = events.map((event) => encoder.push(event)).join('') + encoder.end()
  return decodeStream(client, [Buffer.from(text)], 1).events
}

function requestAfter(client: ClientProtocol, answer: Members): Members {
  switch (client) {
    case 'openai-chat':
      return chatRequest(answer)
    case 'openai-responses':
      return responsesRequest(answer)
    case 'anthropic-messages':
      return messagesRequest(answer)
    case 'gemini':
      return geminiRequest(answer)
    default: {
      const missed: never = client
      throw new Error(`unknown client ${String(missed)}`)
    }
  }
}

const listOf = (value: unknown): Members[] => (Array.isArray(value) ? (value as Members[]) : [])

function chatRequest({ choices }: Members): Members {
  const message = listOf(choices)[0]!['message'] as Members
  const results = listOf(message['tool_calls']).map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'done' }))
  return { model: 'm', messages: [{ role: 'user', content: 'go' }, message, ...results] }
}

function responsesRequest({ output }: Members): Members {
  const items = listOf(output)
  const results = items.flatMap(({ type, call_id: id }) => {
    if (type === 'function_call') return [{ type: 'function_call_output', call_id: id, output: 'done' }]
    return type === 'custom_tool_call' ? [{ type: 'custom_tool_call_output', call_id: id, output: 'done' }] : []
  })
  return { model: 'm', input: [{ role: 'user', content: 'go' }, ...items, ...results] }
}

function messagesRequest({ content }: Members): Members {
  const results = listOf(content)
    .filter(({ type }) => type === 'tool_use')
    .map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'done' }))
  return {
    model: 'm',
    max_tokens: 100,
    messages: [
      { role: 'user', content: 'go' },
      { role: 'assistant', content },
      { role: 'user', content: [...results, { type: 'text', text: 'on' }] },
    ],
  }
}

function geminiRequest({ candidates }: Members): Members {
  const content = listOf(candidates)[0]!['content'] as Members
  const results = listOf(content['parts']).flatMap(({ functionCall: call }) => {
    const { id, name } = (call ?? {}) as Members
    return call
      ? [{ functionResponse: { ...(id === undefined ? {} : { id }), name, response: { output: 'done' } } }]
      : []
  })
  const asked = { role: 'user', parts: [{ text: 'go' }] }
  return { contents: [asked, content, { role: 'user', parts: [...results, { text: 'on' }] }] }
}
