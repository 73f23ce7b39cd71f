import type { ClientProtocol } from './exchanges.ts'

/** The requests of clients that keep less than they got. */

type Members = Record<string, unknown>

const listOf = (value: unknown): Members[] => (Array.isArray(value) ? (value as Members[]) : [])

/** As the Gemini CLI keeps its history: without the thoughts. */
export function withoutThoughts(request: Members): Members {
  const contents = listOf(request['contents']).map((content) => ({
    ...content,
    parts: listOf(content['parts']).filter(({ thought }) => thought !== true),
  }))
  return { ...request, contents }
}

/** As a client sends it that keeps nothing but what was said, what was called and what came of it. */
export function withoutSeals(client: ClientProtocol, request: Members): Members {
  switch (client) {
    case 'openai-chat':
      return { ...request, messages: listOf(request['messages']).map(bareMessage) }
    case 'openai-responses':
      return { ...request, input: listOf(request['input']).filter(({ type }) => type !== 'reasoning') }
    case 'anthropic-messages':
      return { ...request, messages: listOf(request['messages']).map(withoutThinking) }
    case 'gemini': {
      const { contents } = withoutThoughts(request)
      return { ...request, contents: listOf(contents).map(withoutSignatures) }
    }
    default: {
      const missed: never = client
      throw new Error(`unknown client ${String(missed)}`)
    }
  }
}

function bareMessage({ role, content, tool_calls: calls, tool_call_id: id }: Members): Members {
  const bareCalls = listOf(calls).map(({ id: callId, type, function: called, custom }) => {
    return { id: callId, type, ...(called === undefined ? { custom } : { function: called }) }
  })
  return {
    role,
    content,
    ...(bareCalls.length > 0 ? { tool_calls: bareCalls } : {}),
    ...(id === undefined ? {} : { tool_call_id: id }),
  }
}

function withoutThinking(message: Members): Members {
  if (!Array.isArray(message['content'])) return message
  const content = listOf(message['content']).filter(({ type }) => !String(type).endsWith('thinking'))
  return { ...message, content }
}

function withoutSignatures(content: Members): Members {
  const parts = listOf(content['parts']).map((part) => {
    return Object.fromEntries(Object.entries(part).filter(([name]) => name !== 'thoughtSignature'))
  })
  return { ...content, parts: parts.filter(({ text, ...rest }) => text !== '' || Object.keys(rest).length > 0) }
}
