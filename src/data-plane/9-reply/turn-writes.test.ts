import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import test from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { HELD_SOCKETS_MAX, holdWrites } from './turn-writes.ts'

/** Tells what reaches it: the pieces of each write to the operating system, as a socket's `writev` has them. */
class Sink extends Writable {
  readonly writes: string[][] = []

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => String(chunk)))
    done()
  }
}

function hold(sink: Sink, text: string): void {
  holdWrites(sink)
  sink.write(text)
}

test('what is written to a socket in one turn goes out as one, and the next turn is another', async () => {
  const sinks = [new Sink(), new Sink()]
  for (const text of ['a', 'b']) for (const sink of sinks) hold(sink, text)
  assert.deepEqual(sinks[0]!.writes, [])
  await turn()
  hold(sinks[0]!, 'c')
  await turn()
  assert.deepEqual(sinks[0]!.writes, [['a', 'b'], ['c']])
  assert.deepEqual(sinks[1]!.writes, [['a', 'b']])
  assert.equal(sinks[0]!.writableCorked, 0)
})

test('no more than HELD_SOCKETS_MAX wait for the end of a turn', async () => {
  const sinks = Array.from({ length: HELD_SOCKETS_MAX + 1 }, () => new Sink())
  for (const sink of sinks.slice(0, -1)) hold(sink, 'x')
  assert.ok(sinks.every(({ writes }) => writes.length === 0))
  hold(sinks.at(-1)!, 'y')
  assert.ok(sinks.slice(0, -1).every(({ writes }) => writes.length === 1))
  assert.equal(sinks.at(-1)!.writes.length, 0)
  await turn()
  assert.deepEqual(sinks.at(-1)!.writes, [['y']])
})

test('what ends meanwhile goes out at once, and a response without a socket holds nothing', async () => {
  const sink = new Sink()
  hold(sink, 'a')
  sink.end('b')
  holdWrites(null)
  await turn()
  assert.deepEqual(sink.writes, [['a', 'b']])
})
