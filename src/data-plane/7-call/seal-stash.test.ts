import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block, Seal } from '#ir/blocks.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { SealStash, STASH_HOURS } from './seal-stash.ts'
import { SealWatch } from './seal-watch.ts'

const SCOPE = { accountId: 'acc_1', backendId: 'claude' }
const SEAL: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 'EqQB==' }
const CALL_SEAL: Seal = { issuer: 'gemini', kind: 'signature', value: 'CiQB' }

const ANSWER: ChatEvent[] = [
  { type: 'response-start', id: 'm', model: 'm', createdAt: null },
  { type: 'block-start', index: 0, candidate: 0, block: { type: 'reasoning', id: null, isSummary: false } },
  { type: 'block-delta', index: 0, text: 'look ' },
  { type: 'block-delta', index: 0, text: 'it up' },
  { type: 'block-seal', index: 0, seal: SEAL },
  { type: 'block-end', index: 0 },
  { type: 'block-start', index: 1, candidate: 0, block: { type: 'tool-call', id: 'c1', name: 'f', kind: 'function' } },
  { type: 'block-end', index: 1 },
  { type: 'finish', candidate: 0, reason: 'tool-calls', raw: null, stopSequence: null },
]

const REASONING: Block = { type: 'reasoning', text: 'look it up', seal: SEAL, id: null, path: '/messages/1' }
const callOf = (id: string | null): Block => ({
  type: 'tool-call',
  id,
  name: 'f',
  arguments: '{}',
  kind: 'function',
  path: '/messages/1',
})
const TEXT: Block = { type: 'text', text: 'one moment', path: '/messages/1' }

const requestOf = (...turns: Turn[]): ChatRequest => ({ turns }) as unknown as ChatRequest
const turnOf = (role: Turn['role'], ...blocks: Block[]): Turn => ({ role, blocks, path: '/messages/1' })

/** Keeps what this answer's calls need. */
function keep(stash: SealStash, answerId: string, events: readonly ChatEvent[]): void {
  const watch = new SealWatch(stash, SCOPE, answerId)
  for (const event of events) watch.see(event)
  watch.done()
}

function stashed(now: () => number = () => 0, bytesMax?: number): SealStash {
  const stash = new SealStash(now, bytesMax)
  keep(stash, 'A'.repeat(26), ANSWER)
  return stash
}

const restored = (stash: SealStash, scope: typeof SCOPE, ...turns: Turn[]) =>
  stash.restore(scope, requestOf(...turns)).turns

test('reasoning that the client left out is put back before what the turn says', () => {
  const [turn] = restored(stashed(), SCOPE, turnOf('assistant', TEXT, callOf('c1')))
  assert.deepEqual(turn!.blocks, [REASONING, TEXT, callOf('c1')])
})

test('what the client gave back itself is not doubled, in its turn or in the one before', () => {
  const whole = turnOf('assistant', REASONING, callOf('c1'))
  assert.deepEqual(restored(stashed(), SCOPE, whole), [whole])
  const parts = [turnOf('assistant', REASONING), turnOf('assistant', callOf('c1'))]
  assert.deepEqual(restored(stashed(), SCOPE, ...parts), parts)
})

test('it is for this account, this backend and this call alone', () => {
  const turn = turnOf('assistant', callOf('c1'))
  for (const scope of [
    { ...SCOPE, accountId: 'acc_2' },
    { ...SCOPE, backendId: 'other' },
  ])
    assert.deepEqual(restored(stashed(), scope, turn), [turn])
  for (const other of [turnOf('assistant', callOf('c2')), turnOf('assistant', callOf(null)), turnOf('user', TEXT)])
    assert.deepEqual(restored(stashed(), SCOPE, other), [other])
})

test('the seal of the call itself comes back, also under an id of ours', () => {
  const stash = new SealStash(() => 0)
  const head = { type: 'tool-call' as const, id: null, name: 'f', kind: 'function' as const, seal: CALL_SEAL }
  keep(stash, 'B'.repeat(26), [{ type: 'block-start', index: 0, candidate: 0, block: head }])
  const id = `call_${'B'.repeat(26)}_0`
  const [turn] = restored(stash, SCOPE, turnOf('assistant', callOf(id)))
  assert.deepEqual(turn!.blocks, [{ ...callOf(id), seal: CALL_SEAL }])
})

test(`it is kept for ${STASH_HOURS} hours and within its bytes, the oldest going first`, () => {
  let now = 0
  const stash = stashed(() => now)
  now = STASH_HOURS * 3_600_000 - 1
  assert.equal(restored(stash, SCOPE, turnOf('assistant', callOf('c1')))[0]!.blocks.length, 2)
  now++
  assert.equal(restored(stash, SCOPE, turnOf('assistant', callOf('c1')))[0]!.blocks.length, 1)
  const small = stashed(() => 0, 1000)
  const next = ANSWER.map((event) =>
    event.type === 'block-start' && event.block.type === 'tool-call'
      ? { ...event, block: { ...event.block, id: 'c2' } }
      : event,
  )
  for (let round = 0; round < 3; round++) keep(small, 'C'.repeat(26), round === 0 ? next : ANSWER)
  assert.equal(
    restored(
      stashed(() => 0, 10),
      SCOPE,
      turnOf('assistant', callOf('c1')),
    )[0]!.blocks.length,
    1,
  )
  assert.equal(restored(small, SCOPE, turnOf('assistant', callOf('c1')))[0]!.blocks.length, 2)
})

test('an answer without seals or without calls leaves nothing behind', () => {
  const stash = new SealStash(() => 0)
  keep(
    stash,
    'D'.repeat(26),
    ANSWER.filter(({ type }) => type !== 'block-seal'),
  )
  keep(stash, 'D'.repeat(26), ANSWER.slice(0, 6))
  const turn = turnOf('assistant', callOf('c1'))
  assert.deepEqual(restored(stash, SCOPE, turn), [turn])
})
