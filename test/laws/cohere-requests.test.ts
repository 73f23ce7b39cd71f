import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cohereUpstream } from '#codecs/cohere-chat/translation.ts'
import { traitsOf } from '#codecs/model-traits.ts'
import { chatClient } from '#codecs/openai-chat/translation.ts'
import { Losses } from '#ir/extensions.ts'
import type { Json } from '#test/e2e/gateway.ts'
import { ABSENCE } from './corpus.ts'
import { replayExchange, replayIndex } from './replay.ts'

/** What Cohere's own clients asked, said by a client of Chat Completions, comes out as they had asked it. */

const CASES_MIN = 40

test('recorded requests to Cohere keep their meaning through Chat Completions', { skip: ABSENCE }, () => {
  const lines = replayIndex().filter(({ endpoint }) => endpoint === 'cohere.chat.v2')
  const faults: string[] = []
  let count = 0
  for (const line of lines) {
    const { request } = replayExchange(line) as { request: { body?: Json; synthetic?: boolean } }
    if (request.synthetic || !request.body) continue
    count++
    const losses = new Losses()
    const target = traitsOf({
      protocol: 'cohere-chat',
      upstreamModel: String(request.body.model),
      backendType: 'cohere',
      vendor: 'cohere',
      capabilities: new Set(),
      outputTokensMax: null,
      anthropicVersion: '2023-06-01',
    })
    const decoded = chatClient.decodeRequest(asChat(request.body), { stream: request.body.stream === true })
    const { body } = cohereUpstream.encodeRequest(decoded, target, losses)
    try {
      assert.deepEqual(meaningOf(JSON.parse(JSON.stringify(body))), meaningOf(request.body))
      assert.deepEqual(losses.list, [])
    } catch (error) {
      faults.push(`${line.id}: ${(error as Error).message.slice(0, 600)}`)
    }
  }
  assert.equal(faults.length, 0, [`${faults.length} faults in ${count}`, ...faults.slice(0, 5)].join('\n'))
  assert.ok(count >= CASES_MIN, `${count} requests`)
})

/** A body of Cohere's in the words of Chat Completions. */
function asChat({ strict_tools: strict, tool_choice: choice, stop_sequences: stop, thinking, ...body }: Json): Json {
  const { response_format: format, tools, messages, ...rest } = body
  return {
    ...rest,
    messages: messages.map(messageAsChat),
    ...(tools && { tools: strict ? tools.map(strictTool) : tools }),
    ...(choice && { tool_choice: choice.toLowerCase() }),
    ...(stop && { stop }),
    ...(thinking && { reasoning: { enabled: true } }),
    ...(format && { response_format: formatAsChat(format) }),
  }
}

const strictTool = (tool: Json): Json => ({ ...tool, function: { ...tool.function, strict: true } })

function formatAsChat({ type, json_schema: schema = undefined, schema: old = schema }: Json): Json {
  return old ? { type: 'json_schema', json_schema: { name: 'answer', schema: old } } : { type }
}

function messageAsChat({ tool_plan: plan, content, ...message }: Json): Json {
  delete message.citations
  const parts = Array.isArray(content) ? content : []
  const thought = plan ?? parts.find(({ type }: Json) => type === 'thinking')?.thinking
  const said = Array.isArray(content)
    ? parts
        .filter(({ type }: Json) => type !== 'thinking')
        .map((part: Json) => (part.type === 'document' ? { type: 'text', text: textOf(part) } : part))
    : content
  return { ...message, content: said ?? null, ...(thought && { reasoning_content: thought }) }
}

/** What a body says, whatever it is called by in older versions and however its texts are cut. */
function meaningOf({ messages, tools, response_format: format, ...rest }: Json): Json {
  const schema = format?.json_schema ?? format?.schema
  return {
    ...rest,
    stream: rest.stream === true,
    messages: messages.map(meaningOfMessage),
    tools: (tools ?? []).map(({ function: { name, description = '', parameters } }: Json) => ({
      name,
      description,
      parameters,
    })),
    format: format ? { type: format.type, schema } : null,
  }
}

function meaningOfMessage({ role, content, tool_plan: plan, tool_calls: calls, tool_call_id: callId }: Json): Json {
  const parts: Json[] = Array.isArray(content) ? content : content ? [{ type: 'text', text: content }] : []
  return {
    role,
    callId,
    text: parts.map(textOf).join(''),
    images: parts.flatMap(({ image_url: image }) => image?.url ?? []),
    thought: plan ?? parts.find(({ type }) => type === 'thinking')?.thinking ?? null,
    calls: (calls ?? []).map(({ id, function: { name, arguments: text } }: Json) => ({
      id,
      name,
      given: JSON.parse(text),
    })),
  }
}

/** A document stands as its data. */
const textOf = ({ text, document }: Json): string => text ?? (document ? JSON.stringify(document.data) : '')
