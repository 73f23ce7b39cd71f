import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FAILURES_MAX } from '#health/circuit.ts'
import type { Script } from '#test/upstream/upstream.ts'
import type { Told } from './gateway.ts'
import { BAD, type Call, errorBody, GOOD, json, opening, startRig, STREAMED, WHOLE } from './two-backends.ts'

/** Two backends per model: what the first does wrong, the second makes good, and the client sees nothing of it (R67-R71, B10). */

/** What may go wrong before the first content; `stream` says where it is possible. */
const FAULTS: Readonly<Record<string, { readonly script: (call: Call) => Script; readonly stream?: boolean }>> = {
  'reset before headers': { script: () => ({ cutAfterBytes: 0, headers: json }) },
  '429': { script: () => ({ status: 429, body: errorBody, headers: { 'retry-after': '60' } }) },
  '500': { script: () => ({ status: 500, body: errorBody }) },
  '503': { script: () => ({ status: 503, body: errorBody }) },
  '529': { script: () => ({ status: 529, body: errorBody }) },
  '401': { script: () => ({ status: 401, body: errorBody }) },
  'error in a 200': { script: () => ({ status: 200, headers: json, body: errorBody }) },
  'no answer in time': { script: () => ({ hang: true }) },
  'a 200 that cannot be read': { script: () => ({ status: 200, headers: json, body: '{"half":' }) },
  'role only, then cut': { script: ({ opening: frames }) => opening(frames, { cutAfterFrames: frames }), stream: true },
  'role only, then the end': { script: ({ opening: frames }) => opening(frames, {}), stream: true },
  'role only, then silence': {
    script: ({ opening: frames }) => opening(frames, { stallAfterFrames: frames }),
    stream: true,
  },
}

for (const [kind, calls] of [
  ['whole', WHOLE],
  ['streamed', STREAMED],
] as const) {
  suite(`a failed attempt is invisible, ${kind}`, () => {
    for (const [what, { script, stream }] of Object.entries(FAULTS)) {
      if (stream && kind === 'whole') continue
      test(what, async () => {
        await using rig = await startRig()
        for (const [name, call] of Object.entries(calls)) {
          // Gemini's streams begin with content: nothing of them is only a role.
          if (stream && call.opening === 0) continue
          const before = rig.first.received.length
          rig.first.script(script(call))
          const told = await rig.gateway.ask(call.path, { body: call.body })
          assertSecond(name, call, told)
          assert.equal(rig.first.received.length - before, 1)
          const row = await rig.gateway.log(told.headers.get('x-request-id')!)
          assert.deepEqual(
            row.attempts.map(({ backend }: { backend: string }) => backend.endsWith('-2')),
            [false, true],
          )
          assert.equal(row.backend_id.endsWith('-2'), true)
        }
        assert.equal(rig.second.bill.length, rig.second.received.length)
      })
    }
  })
}

function assertSecond(name: string, { starts }: Call, told: Told): void {
  assert.equal(told.status, 200, `${name}: ${told.text}`)
  assert.equal(told.headers.get('x-gateway-attempts'), '2', name)
  assert.ok(told.text.includes(GOOD) || told.text.includes('second'), `${name}: ${told.text}`)
  assert.ok(!told.text.includes(BAD), `${name} saw the first`)
  assert.equal(told.text.match(starts)?.length ?? 0, 1, `${name}: one start`)
}

suite('what may not be repaired', () => {
  for (const [name, call] of Object.entries(STREAMED)) {
    test(`${name}: a stream that breaks after its first content ends with the protocol's error, and nothing is spliced`, async () => {
      await using rig = await startRig()
      rig.first.script(opening(call.opening + 1, { cutAfterFrames: call.opening + 1 }))
      const told = await rig.gateway.ask(call.path, { body: call.body })
      assert.equal(told.status, 200)
      assert.ok(!told.text.includes(GOOD))
      assert.match(told.text, /"error"|response\.failed/)
      assert.equal(rig.second.received.length, 0)
    })

    test(`${name}: a request that the backend refuses is not tried elsewhere`, async () => {
      await using rig = await startRig()
      for (const status of [400, 404, 413, 422]) {
        rig.first.script({ status, body: errorBody })
        const told = await rig.gateway.ask(call.path, { body: call.body })
        assert.equal(told.status, status)
      }
      assert.equal(rig.second.received.length, 0)
    })
  }
})

suite('all backends fail', () => {
  const { path, body } = WHOLE['chat']!

  test('R67: two rate limits are one, with the shorter wait', async () => {
    await using rig = await startRig()
    rig.first.script({ status: 429, body: errorBody, headers: { 'retry-after': '7' } })
    rig.second.script({ status: 429, body: errorBody, headers: { 'retry-after': '9' } })
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.status, 429)
    assert.equal(told.headers.get('retry-after'), '7')
    assert.equal(rig.first.received.length + rig.second.received.length, 2)
  })

  test('different failures are the gateway’s own, nothing is charged, all attempts are in the row', async () => {
    await using rig = await startRig()
    rig.first.script({ status: 500, body: errorBody })
    rig.second.script({ status: 401, body: errorBody })
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.status, 502)
    assert.equal(told.json.error.code, 'upstream_unavailable')
    const row = await rig.gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual(
      row.attempts.map(({ status }: { status: number }) => status),
      [500, 401],
    )
    assert.equal(row.charged_cost, '0')
  })

  test('R67: no more attempts than max_failover_hops allows', async () => {
    await using rig = await startRig({ max_failover_hops: 0 })
    rig.first.script({ status: 500, body: errorBody })
    assert.equal((await rig.gateway.ask(path, { body })).status, 502)
    assert.equal(rig.second.received.length, 0)
  })
})

suite('R71: circuits', () => {
  const { path, body } = WHOLE['chat']!

  test('a backend that failed three times in a row is passed by', async () => {
    await using rig = await startRig()
    rig.first.always({ status: 500, body: errorBody })
    for (let count = 0; count < FAILURES_MAX + 5; count++) assertSecondBody(await rig.gateway.ask(path, { body }))
    assert.equal(rig.first.received.length, FAILURES_MAX)
    const backends = (await rig.gateway.admin('GET', '/api/admin/backends')).data
    assert.equal(backends.find(({ id }: { id: string }) => id === 'openai').health.state, 'open')
  })

  test('with every circuit open the backends are tried all the same', async () => {
    await using rig = await startRig({ max_failover_hops: 1 })
    rig.first.always({ status: 500, body: errorBody })
    rig.second.always({ status: 500, body: errorBody })
    for (let count = 0; count < FAILURES_MAX; count++) await rig.gateway.ask(path, { body })
    rig.first.always(undefined)
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.status, 200)
    assert.ok(told.text.includes(BAD))
  })

  test('a stream that always breaks midway opens the circuit too', async () => {
    await using rig = await startRig()
    const call = STREAMED['chat']!
    rig.first.always(opening(call.opening + 1, { cutAfterFrames: call.opening + 1 }))
    for (let count = 0; count < FAILURES_MAX; count++) await rig.gateway.ask(call.path, { body: call.body })
    assertSecondBody(await rig.gateway.ask(call.path, { body: call.body }))
  })
})

suite('R70: the only backend there is', () => {
  const { path, body } = WHOLE['chat']!

  test('a short Retry-After is waited for', async () => {
    await using rig = await startRig({}, false)
    rig.first.script({ status: 429, body: errorBody, headers: { 'retry-after': '1' } })
    const startedAt = performance.now()
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.status, 200)
    assert.equal(told.headers.get('x-gateway-attempts'), '2')
    assert.ok(performance.now() - startedAt >= 1000)
  })

  test('a long one is the client’s', async () => {
    await using rig = await startRig({}, false)
    rig.first.script({ status: 429, body: errorBody, headers: { 'retry-after': '60' } })
    const told = await rig.gateway.ask(path, { body })
    assert.deepEqual([told.status, told.headers.get('retry-after')], [429, '60'])
    assert.equal(rig.first.received.length, 1)
  })

  test('503 and a broken connection are tried once more, 500 and 401 are not', async () => {
    await using rig = await startRig({}, false)
    for (const [reply, calls] of [
      [{ status: 503, body: errorBody }, 2],
      [{ cutAfterBytes: 0, headers: json }, 2],
      [{ status: 500, body: errorBody }, 1],
      [{ status: 401, body: errorBody }, 1],
    ] as const) {
      const before = rig.first.received.length
      rig.first.script(reply)
      const told = await rig.gateway.ask(path, { body })
      assert.equal(rig.first.received.length - before, calls)
      assert.equal(told.status, calls === 2 ? 200 : 502)
    }
  })

  test('failure handling that is off shows the first failure', async () => {
    await using rig = await startRig({ enabled: false })
    rig.first.script({ status: 503, body: errorBody })
    assert.equal((await rig.gateway.ask(path, { body })).status, 502)
    assert.equal(rig.first.received.length + rig.second.received.length, 1)
  })

  for (const [name, call] of Object.entries(STREAMED)) {
    test(`${name}: a stream is kept alive while it waits, and its answer follows`, async () => {
      await using rig = await startRig({ keepalive_interval: 0.1 }, false)
      rig.first.script({ status: 429, body: errorBody, headers: { 'retry-after': '1' } })
      const told = await rig.gateway.ask(call.path, { body: call.body })
      assert.match(told.text, /^: keepalive\n\n/)
      assert.ok(told.text.includes('first'), told.text)
      assert.equal(told.text.match(call.starts)?.length, 1)
    })

    test(`${name}: an error after a keep-alive is told inside the stream`, async () => {
      await using rig = await startRig({ keepalive_interval: 0.1 }, false)
      rig.first.script(
        { status: 429, body: errorBody, headers: { 'retry-after': '1' } },
        { status: 400, body: errorBody },
      )
      const told = await rig.gateway.ask(call.path, { body: call.body })
      assert.equal(told.status, 200)
      assert.match(told.text, /^(: keepalive\n\n)+/)
      assert.match(told.text, /"error"|response\.failed/)
    })
  }
})

function assertSecondBody({ status, text }: Told): void {
  assert.equal(status, 200, text)
  assert.ok(text.includes('second'))
}
