import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventsOf, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** Tools whose names mean two things, or are none at the target, find back to their client (R82). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const PARAMETERS = { type: 'object', properties: { q: { type: 'string' } } }
const search = { type: 'function', name: 'search', parameters: PARAMETERS }
const NAMESPACES = ['crm', 'web'].map((name) => ({ type: 'namespace', name, description: name, tools: [search] }))
const earlier = [
  { type: 'message', role: 'user', content: 'hi' },
  { type: 'function_call', call_id: 'c1', name: 'search', namespace: 'web', arguments: '{}' },
  { type: 'function_call_output', call_id: 'c1', output: 'r' },
]

/** An answer of Messages that calls the tool that the request declared last. */
function callLast(isStream: boolean): void {
  gateway.upstream.script(({ fields }) => {
    const { name } = (fields['tools'] as { name: string }[]).at(-1)!
    const use = { type: 'tool_use', id: 'toolu_1', name, input: isStream ? {} : { q: 'x' } }
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      usage: { input_tokens: 1, output_tokens: 1 },
    }
    if (!isStream) return { body: { ...message, content: [use], stop_reason: 'tool_use', stop_sequence: null } }
    const events = [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: use },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"q":"x"}' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 1 } },
      { type: 'message_stop' },
    ]
    return { frames: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`) }
  })
}

for (const stream of [false, true]) {
  test(`two namespaces have a tool of the same name, ${stream ? 'streamed' : 'whole'}`, async () => {
    callLast(stream)
    const body = { model: MODELS.messages.id, input: earlier, tools: NAMESPACES, stream }
    const { status, json, text, headers } = await gateway.ask('/v1/responses', { body })
    assert.equal(status, 200, text)
    const { fields } = gateway.upstream.received.at(-1)!
    const [crm, web] = (fields['tools'] as Json[]).map(({ name }) => name)
    assert.match(crm, /^crm_search_[0-9a-f]{8}$/)
    assert.match(web, /^web_search_[0-9a-f]{8}$/)
    const called = (fields['messages'] as Json[])
      .flatMap(({ content }) => content)
      .find(({ type }) => type === 'tool_use')
    assert.equal(called.name, web)
    assert.match(headers.get('x-gateway-warnings')!, /param=tools\.0\.tools\.0;action=rewrite/)
    const answer = stream ? eventsOf(text).find(({ type }) => type === 'response.completed').response : json
    const item = answer.output.find(({ type }: Json) => type === 'function_call')
    assert.deepEqual([item.name, item.namespace, item.arguments], ['search', 'web', '{"q":"x"}'])
    assert.ok(!text.includes(web), 'the name of the upstream is not shown')
  })
}
