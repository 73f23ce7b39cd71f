import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JsonArrayFrames } from './json-array-frames.ts'

function framed(events: readonly string[]): string {
  const frames = new JsonArrayFrames()
  const parts = events.map((event) => frames.elements(Buffer.from(event)).toString())
  return [...parts, frames.end().toString()].join('')
}

test('events become the elements of one array', () => {
  const text = framed(['data: {"a":1}\n\n', 'event: x\r\ndata:{"b":"ü"}\r\n\r\n', 'data: {"c":[]}\n\n'])
  assert.equal(text, '[{"a":1},\r\n{"b":"ü"},\r\n{"c":[]}]')
})

test('several events at once are several elements', () => {
  assert.equal(framed(['data: {"a":1}\n\ndata: {"b":2}\n\n', '', 'data: 3\n\n']), '[{"a":1},\r\n{"b":2},\r\n3]')
})

test('comments have no place in it, and no event is an empty array', () => {
  assert.equal(framed([': hi\n\n', 'data: 1\n\n', ': hi\n\n', 'event: ping\n\n']), '[1]')
  assert.equal(framed([]), '[]')
  assert.equal(framed([': hi\n\n']), '[]')
})

test('data over several lines is one element', () => {
  assert.deepEqual(JSON.parse(framed(['data: {"a":\ndata: 1}\n\n', 'data: 2\n\n'])), [{ a: 1 }, 2])
})
