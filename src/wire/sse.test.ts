import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventFramer, EventTooLargeError, readEvent, type EventFields } from './sse.ts'

const fields = (): EventFields => ({ name: '', dataStart: -1, dataEnd: -1, dataText: null })
const read = (event: Buffer) => {
  const into = readEvent(event, fields())
  const data = into.dataText ?? (into.dataStart < 0 ? null : event.toString('utf8', into.dataStart, into.dataEnd))
  return [into.name, data]
}
const STREAM = [
  ': comment\n\n',
  'event: a\ndata: {"x":1}\n\n',
  'data:tight\r\n\r\n',
  'event: b\r\ndata: one\r\ndata: two\r\n\r\n',
  'id: 5\ndata\n\n',
  'data: 日本 🚀\n\n',
].join('')

test('every cut of the bytes gives the same events', () => {
  const bytes = Buffer.from(STREAM)
  const whole = new EventFramer(1000).push(bytes).map((event) => event.toString())
  assert.equal(whole.join(''), STREAM)
  for (let cut = 0; cut <= bytes.length; cut++) {
    const framer = new EventFramer(1000)
    const events = [...framer.push(bytes.subarray(0, cut)), ...framer.push(bytes.subarray(cut))]
    assert.deepEqual(
      events.map((event) => event.toString()),
      whole,
      `cut at ${cut}`,
    )
    assert.equal(framer.end(), null)
  }
  const framer = new EventFramer(1000)
  const single = [...bytes].flatMap((_, at) => framer.push(bytes.subarray(at, at + 1)))
  assert.deepEqual(
    single.map((event) => event.toString()),
    whole,
  )
})

test('reads names and data, joins several data lines', () => {
  const events = new EventFramer(1000).push(Buffer.from(STREAM)).map(read)
  assert.deepEqual(events, [
    ['', null],
    ['a', '{"x":1}'],
    ['', 'tight'],
    ['b', 'one\ntwo'],
    ['', ''],
    ['', '日本 🚀'],
  ])
  assert.deepEqual(read(Buffer.from('database: x\n\n')), ['', null])
})

test('what is left at the end is returned once', () => {
  const framer = new EventFramer(1000)
  assert.equal(framer.push(Buffer.from('data: x\n\ndata: unfinished')).length, 1)
  assert.equal(framer.end()?.toString(), 'data: unfinished')
  assert.equal(framer.end(), null)
})

test('an event may have exactly the bound and not one byte more', () => {
  const framer = new EventFramer(10)
  assert.equal(framer.push(Buffer.from('data: 1234')).length, 0)
  assert.throws(() => framer.push(Buffer.from('5')), EventTooLargeError)
})
