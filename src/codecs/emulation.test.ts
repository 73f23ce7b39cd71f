import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { Tool } from '#ir/chat-request.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { Emulation } from './emulation.ts'
import { ToolNames } from './tool-names.ts'
import type { EncodedRequest } from './translation.ts'

const names = (tools: readonly Tool[] = []): ToolNames => new ToolNames({ ...BLANK_REQUEST, tools }, 'gemini')

const encoded = (rest: Partial<EncodedRequest> = {}): EncodedRequest => ({
  body: {},
  emulatedCustomTools: new Set(),
  formatTool: null,
  ...rest,
})

const start = (index: number, name: string): ChatEvent => ({
  type: 'block-start',
  index,
  candidate: 0,
  block: { type: 'tool-call', id: 'c1', name, kind: 'function' },
})
const delta = (index: number, text: string): ChatEvent => ({ type: 'block-delta', index, text })
const end = (index: number): ChatEvent => ({ type: 'block-end', index })
const finish: ChatEvent = { type: 'finish', candidate: 0, reason: 'tool-calls', raw: 'tool_use', stopSequence: null }

const shown = (emulation: Emulation, events: readonly ChatEvent[]) => events.map((event) => emulation.push(event))

test('nothing to undo is nothing to do', () => {
  assert.equal(Emulation.of(names(), encoded()), null)
})

test('a function that stood for a custom tool calls the custom tool', () => {
  const emulation = Emulation.of(names(), encoded({ emulatedCustomTools: new Set(['patch']) }))!
  const seen = shown(emulation, [start(0, 'patch'), delta(0, '{"inp'), delta(0, 'ut":"*** a\\nb"}'), end(0), finish])
  assert.deepEqual(seen, [
    { ...start(0, 'patch'), block: { type: 'tool-call', id: 'c1', name: 'patch', kind: 'custom' } },
    null,
    delta(0, '*** a\nb'),
    end(0),
    finish,
  ])
  assert.deepEqual(shown(emulation, [start(1, 'other'), delta(1, '{"input":"x"}')]), [
    start(1, 'other'),
    delta(1, '{"input":"x"}'),
  ])
})

test('a tool forced in place of a format speaks as text, and the answer stops', () => {
  const emulation = Emulation.of(names(), encoded({ formatTool: 'response' }))!
  assert.deepEqual(shown(emulation, [start(0, 'response'), delta(0, '{"a":1}'), end(0), finish]), [
    { ...start(0, 'response'), block: { type: 'text' } },
    delta(0, '{"a":1}'),
    end(0),
    { ...finish, reason: 'stop' },
  ])
  const both = Emulation.of(names(), encoded({ formatTool: 'response' }))!
  assert.deepEqual(shown(both, [start(0, 'response'), end(0), start(1, 'search'), end(1), finish]).at(-1), finish)
})

test('a tool declared in a namespace is called within it', () => {
  const tool: Tool = {
    type: 'function',
    name: 'open',
    description: null,
    schema: null,
    strict: null,
    namespace: 'files',
    path: '',
  }
  const emulation = Emulation.of(names([tool]), encoded())!
  const [event] = shown(emulation, [start(0, 'open')])
  assert.deepEqual(event, {
    ...start(0, 'open'),
    block: { type: 'tool-call', id: 'c1', name: 'open', kind: 'function', namespace: 'files' },
  })
})
