import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { Block, Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { createSealState } from '#seal-state/seal-state.ts'
import type { SealArchive } from '#seal-state/types.ts'
import { openStore, type Store } from '#store/store.ts'
import { ARGUMENTS_CHARACTERS_MAX } from './seal-entry.ts'
import { MISSING_MS, SealStash, STASH_HOURS, type StashMode, type StashOptions } from './seal-stash.ts'
import { SealWatch } from './seal-watch.ts'

const SCOPE = { accountId: 'acc_1', backendId: 'claude', credential: 'sk-upstream' }
const DAY_MS = STASH_HOURS * 3_600_000

const folder = mkdtempSync(path.join(tmpdir(), 'trivium-seals-'))
let store: Store
let archive: SealArchive
let nowMs = 0
before(async () => {
  store = await openStore({ kind: 'sqlite', file: path.join(folder, 'trivium.db') })
  archive = createSealState(store, 'secret', { now: () => nowMs })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const stashOf = (mode: StashMode = 'memory', options: Partial<StashOptions> = {}): SealStash =>
  new SealStash({ archive, mode: () => mode, now: () => nowMs, ...options })

const sealOf = (value: string): Seal => ({ issuer: 'anthropic-messages', kind: 'signature', value })
const CALL_SEAL: Seal = { issuer: 'gemini', kind: 'signature', value: 'CiQB' }

/** What a model says, in short: reasoning, text, or a call of `f` under an id. */
interface Said {
  readonly think?: string
  readonly say?: string
  readonly call?: string | null
  readonly seal?: Seal
  readonly args?: string
  readonly candidate?: number
}

function eventsOf(said: readonly Said[]): ChatEvent[] {
  return said.flatMap(({ think, say, call, seal, args = '{}', candidate = 0 }, index): ChatEvent[] => {
    const own = call !== undefined && seal ? { seal } : {}
    const head: BlockHead =
      think !== undefined
        ? { type: 'reasoning', id: null, isSummary: false }
        : say !== undefined
          ? { type: 'text' }
          : { type: 'tool-call', id: call!, name: 'f', kind: 'function', ...own }
    const text = think ?? say ?? args
    return [
      { type: 'block-start', index, candidate, block: head },
      ...[...text].map((letter): ChatEvent => ({ type: 'block-delta', index, text: letter })),
      ...(seal && call === undefined ? [{ type: 'block-seal' as const, index, seal }] : []),
      { type: 'block-end', index },
    ]
  })
}

const PATH = '/messages/1'
/** The same as a client writes it in its next request. */
const blocksOf = (said: readonly Said[]): Block[] =>
  said.map(({ think, say, call, seal, args = '{}' }): Block => {
    const own = seal ? { seal } : {}
    if (think !== undefined) return { type: 'reasoning', text: think, seal: seal ?? null, id: null, path: PATH }
    if (say !== undefined) return { type: 'text', text: say, path: PATH, ...own }
    return { type: 'tool-call', id: call!, name: 'f', arguments: args, kind: 'function', path: PATH, ...own }
  })

const turnOf = (role: Turn['role'], said: readonly Said[]): Turn => ({ role, blocks: blocksOf(said), path: PATH })

function keep(stash: SealStash, said: readonly Said[], answerId = 'A'.repeat(26)): void {
  const watch = new SealWatch(stash, SCOPE, new AnswerCallIds(answerId, (id) => id.replaceAll(':', '_')))
  for (const event of eventsOf(said)) watch.see(event)
  watch.done()
}

async function restored(stash: SealStash, turns: readonly Turn[], scope = SCOPE): Promise<readonly Turn[]> {
  return (await stash.restore(scope, { turns } as unknown as ChatRequest)).turns
}

/** What a client that gave back `left` is understood to have meant. */
async function meant(stash: SealStash, left: readonly Said[], scope = SCOPE): Promise<readonly Block[]> {
  const [turn] = await restored(stash, [turnOf('assistant', left)], scope)
  return turn!.blocks
}

const ANSWER: readonly Said[] = [
  { think: 'look it up', seal: sealOf('EqQB==') },
  { say: 'one moment' },
  { call: 'c1', args: '{"a": 1, "b": [2]}' },
]
const LEFT = ANSWER.slice(1)

function stashed(options: Partial<StashOptions> = {}): SealStash {
  const stash = stashOf('memory', options)
  keep(stash, ANSWER)
  return stash
}

test('seals that the client left out stand where they stood', async () => {
  const answers: readonly (readonly Said[])[] = [
    ANSWER,
    [{ say: 'hm' }, { think: 'x', seal: sealOf('1') }, { say: 'ah' }, { call: 'c1' }],
    [
      { think: 'x', seal: sealOf('1') },
      { call: 'c1' },
      { think: 'y', seal: sealOf('2') },
      { think: '', seal: sealOf('3') },
      { say: 'ok' },
      { call: 'c2', seal: CALL_SEAL },
      { think: 'z', seal: sealOf('4') },
    ],
    [{ say: 'signed', seal: CALL_SEAL }, { call: 'c1' }, { call: 'c2' }],
  ]
  for (const answer of answers) {
    const stash = stashOf()
    keep(stash, answer)
    const left = answer
      .filter(({ think }) => think === undefined)
      .map((said) => Object.fromEntries(Object.entries(said).filter(([name]) => name !== 'seal')))
    assert.deepEqual(await meant(stash, left), blocksOf(answer))
    const single = left.map((said) => turnOf('assistant', [said]))
    const blocks = (await restored(stash, single)).flatMap((turn) => turn.blocks)
    assert.deepEqual(blocks, blocksOf(answer), 'a turn for each item')
  }
})

test('reasoning that came back without its seal is not there twice', async () => {
  const left = [{ think: 'look \nit up' }, ...LEFT]
  assert.deepEqual(await meant(stashed(), left), blocksOf(ANSWER))
  const other = [{ think: 'something of its own' }, ...LEFT]
  assert.deepEqual(await meant(stashed(), other), blocksOf([ANSWER[0]!, ...other]))
})

test('what the client gave back itself is not doubled, in its turn or in the one before', async () => {
  assert.deepEqual(await meant(stashed(), ANSWER), blocksOf(ANSWER))
  const parts = [turnOf('assistant', ANSWER.slice(0, 1)), turnOf('assistant', LEFT)]
  assert.deepEqual(await restored(stashed(), parts), parts)
  const two = [ANSWER[0]!, { think: 'more', seal: sealOf('2') }, ...LEFT]
  const stash = stashOf()
  keep(stash, two)
  for (const lost of [0, 1]) assert.deepEqual(await meant(stash, two.toSpliced(lost, 1)), blocksOf(two))
})

test('it is for this account, this backend and this call alone', async () => {
  const others = [
    { ...SCOPE, accountId: 'acc_2' },
    { ...SCOPE, backendId: 'other' },
  ]
  for (const scope of others) assert.deepEqual(await meant(stashed(), LEFT, scope), blocksOf(LEFT))
  for (const call of ['c2', null, '']) {
    const left = [{ ...LEFT[1]!, call }]
    assert.deepEqual(await meant(stashed(), left), blocksOf(left))
  }
  const user = [turnOf('user', LEFT)]
  assert.deepEqual(await restored(stashed(), user), user)
})

test('a call of the same id with other arguments is another one; the same ones may be written in another way', async () => {
  const asArgs = async (args: string) => (await meant(stashed(), [{ call: 'c1', args }])).length
  assert.equal(await asArgs('{"b":[2.0],"a":1}'), 2)
  for (const args of ['{"a":1,"b":[3]}', '{"a":1}', '', 'no json']) assert.equal(await asArgs(args), 1, args)
  const stash = stashOf()
  keep(stash, [
    { think: 'x', seal: sealOf('1') },
    { call: 'c1', args: '' },
  ])
  assert.equal((await meant(stash, [{ call: 'c1', args: '{}' }])).length, 2)
  // Of the longest ones only the name is compared.
  const long = (length: number, letter: string) => JSON.stringify(letter.repeat(length - 2))
  for (const [length, count] of [
    [ARGUMENTS_CHARACTERS_MAX, 1],
    [ARGUMENTS_CHARACTERS_MAX + 1, 2],
  ] as const) {
    keep(stash, [
      { think: 'x', seal: sealOf('1') },
      { call: 'long', args: long(length, 'a') },
    ])
    assert.equal((await meant(stash, [{ call: 'long', args: long(length, 'b') }])).length, count)
  }
})

test('a call is found under the id that its client got', async () => {
  const stash = stashOf()
  keep(stash, [
    { call: 'f:0', seal: CALL_SEAL },
    { call: null, seal: sealOf('2') },
    { call: 'f:0', seal: sealOf('3') },
  ])
  const ids = ['f_0', `call_${'A'.repeat(26)}_1`, 'f_0_2']
  const blocks = await meant(
    stash,
    ids.map((call) => ({ call })),
  )
  assert.deepEqual(
    blocks.map((block) => 'seal' in block && block.seal?.value),
    ['CiQB', '2', '3'],
  )
})

test('each of several answers to one question has its own', async () => {
  const stash = stashOf()
  keep(stash, [
    { think: 'x', seal: sealOf('1') },
    { think: 'y', seal: sealOf('2'), candidate: 1 },
    { call: 'c1' },
    { call: 'c2', candidate: 1 },
  ])
  const sealed = async (call: string) => (await meant(stash, [{ call }])).map((block) => 'seal' in block && block.seal)
  assert.deepEqual(await sealed('c1'), [sealOf('1'), false])
  assert.deepEqual(await sealed('c2'), [sealOf('2'), false])
})

test(`it is kept for ${STASH_HOURS} hours`, async () => {
  const stash = stashed()
  nowMs += DAY_MS - 1
  assert.equal((await meant(stash, LEFT)).length, 3)
  nowMs++
  assert.equal((await meant(stash, LEFT)).length, 2)
})

test('memory has a bound, and the oldest goes first', async () => {
  const found = async (stash: SealStash, call: string) => (await meant(stash, [{ ...LEFT[1]!, call }])).length === 2
  assert.equal(await found(stashed({ bytesMax: 10 }), 'c1'), false, 'alone too large')
  const stash = stashed({ bytesMax: 1000 })
  keep(stash, [ANSWER[0]!, { ...LEFT[1]!, call: 'c2' }])
  assert.deepEqual([await found(stash, 'c1'), await found(stash, 'c2')], [true, true])
  keep(stash, [ANSWER[0]!, { ...LEFT[1]!, call: 'c3' }])
  assert.deepEqual([await found(stash, 'c1'), await found(stash, 'c2'), await found(stash, 'c3')], [false, true, true])
})

test('an answer without seals, without calls, or without its end leaves nothing behind', async () => {
  const stash = stashOf()
  keep(stash, [{ think: 'look it up' }, ...LEFT])
  keep(stash, ANSWER.slice(0, 2))
  const watch = new SealWatch(stash, SCOPE, new AnswerCallIds('A', (id) => id))
  for (const event of eventsOf(ANSWER)) watch.see(event)
  assert.deepEqual(await meant(stash, LEFT), blocksOf(LEFT))
})

test('the next process and another node find them in the store, unless told otherwise', async () => {
  keep(stashOf('store'), [{ ...ANSWER[0]!, seal: sealOf('stored') }, { call: 'stored' }])
  keep(stashOf('memory'), [ANSWER[0]!, { call: 'remembered' }])
  keep(stashOf('off'), [ANSWER[0]!, { call: 'nowhere' }])
  await archive.flush()
  const lengths = async (mode: StashMode) => {
    const next = stashOf(mode)
    return Promise.all(['stored', 'remembered', 'nowhere'].map(async (call) => (await meant(next, [{ call }])).length))
  }
  assert.deepEqual(await lengths('store'), [2, 1, 1])
  assert.deepEqual(await lengths('memory'), [1, 1, 1])
  const off = stashOf('off')
  keep(off, [ANSWER[0]!, { call: 'nowhere' }])
  assert.equal((await meant(off, [{ call: 'nowhere' }])).length, 1)
})

/** An archive that counts how often it is asked, and for what. */
function counted() {
  const asked: number[] = []
  const find: SealArchive['find'] = (accountId, ids) => {
    asked.push(ids.length)
    return archive.find(accountId, ids)
  }
  return { asked, archive: { ...archive, find } }
}

test('the store is asked once per request, for what memory does not know and the client left out', async () => {
  const { asked, archive: watched } = counted()
  const stash = stashOf('store', { archive: watched })
  keep(stash, ANSWER)
  keep(stash, [{ call: 'unsigned' }])
  await meant(stash, [...LEFT, { call: 'unsigned' }])
  await meant(stash, [{ think: '', seal: sealOf('own') }, { call: 'c8' }])
  await restored(stash, [turnOf('user', [{ say: 'hi' }])])
  assert.deepEqual(asked, [])
  const other = turnOf('user', [{ say: 'and' }])
  const turns = [turnOf('assistant', [{ call: 'x1' }, { call: 'x2' }]), other, turnOf('assistant', [{ call: 'x1' }])]
  await restored(stash, turns)
  await restored(stash, turns)
  assert.deepEqual(asked, [2], 'what is not there is not asked for again at once')
  nowMs += MISSING_MS
  await restored(stash, turns)
  assert.deepEqual(asked, [2, 2])
})

test('the newest calls of a long conversation are looked up first', async () => {
  const { asked, archive: watched } = counted()
  const count = archive.idsPerReadMax + 1
  const calls = Array.from({ length: count }, (_, at) => ({ call: `long${at}`, seal: sealOf(`${at}`) }))
  keep(stashOf('store'), calls)
  await archive.flush()
  const stash = stashOf('store', { archive: watched })
  const left = calls.map(({ call }) => ({ call }))
  const unsealed = (blocks: readonly Block[]) => blocks.flatMap((block, at) => ('seal' in block ? [] : [at]))
  assert.deepEqual(unsealed(await meant(stash, left)), [0])
  assert.deepEqual(unsealed(await meant(stash, left)), [])
  assert.deepEqual(asked, [count - 1, 1])
})

test('a request goes on when the store cannot be read', async () => {
  const failures: unknown[] = []
  const find = () => Promise.reject(new Error('store'))
  const stash = stashOf('store', { archive: { ...archive, find }, onFailure: (cause) => failures.push(cause) })
  keep(stash, ANSWER)
  const blocks = await meant(stash, [...LEFT, { call: 'c9' }])
  assert.deepEqual(blocks, blocksOf([...ANSWER, { call: 'c9' }]))
  assert.deepEqual(failures.map(String), ['Error: store'])
})
