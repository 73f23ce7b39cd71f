import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { REPLAY_BYTES_MAX, Replays, REPLAYS_BYTES_MAX } from './replays.ts'

async function answer(replays: Replays, id: string, bytes: number, status = 200) {
  const leading = replays.begin(id, 'body', `req_${id}`)
  const { answer: told } = replays.get(id)!
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  leading.listen(response)
  response.writeHead(status, { 'content-type': 'text/plain' })
  response.write(Buffer.alloc(bytes - 1))
  response.end('x')
  leading.finish()
  return told
}

test('an answer is kept up to its bound, and one byte more is not', async () => {
  const replays = new Replays()
  const kept = await answer(replays, 'a', REPLAY_BYTES_MAX)
  assert.equal(kept!.body.length, REPLAY_BYTES_MAX)
  assert.deepEqual([kept!.status, kept!.headers], [200, { 'content-type': 'text/plain' }])
  assert.ok(replays.get('a'))
  assert.equal(await answer(replays, 'b', REPLAY_BYTES_MAX + 1), null)
  assert.equal(replays.get('b'), undefined)
})

test('kept answers together have a bound, and the oldest gives way', async () => {
  const replays = new Replays()
  const fits = REPLAYS_BYTES_MAX / REPLAY_BYTES_MAX
  for (let at = 0; at < fits; at++) await answer(replays, `${at}`, REPLAY_BYTES_MAX)
  assert.ok(replays.get('0'))
  await answer(replays, 'one more', REPLAY_BYTES_MAX)
  assert.deepEqual([replays.get('0'), replays.get('1') !== undefined], [undefined, true])
})

test('a failure is told to those that wait, and not kept', async () => {
  const replays = new Replays()
  assert.equal((await answer(replays, 'a', 5, 502))!.status, 502)
  assert.equal(replays.get('a'), undefined)
})
