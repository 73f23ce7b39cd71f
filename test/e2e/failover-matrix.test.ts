import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FAULTS } from './failover-faults.ts'
import type { Ask, Told } from './gateway.ts'
import { BAD, type Call, errorBody, GOOD, type Rig, startRig, STREAMED, WHOLE } from './two-backends.ts'

/** B10: twelve faults on four surfaces, streamed and whole; and with each opt-out exactly one upstream call. */

const KINDS = [
  ['whole', WHOLE],
  ['streamed', STREAMED],
] as const

/** How each protocol says in a stream that it broke. */
const BROKEN: Readonly<Record<string, RegExp>> = {
  chat: /^data: \{.*"finish_reason":"error".*"error":\{/m,
  responses: /event: response\.failed\n/,
  messages: /event: error\n/,
  gemini: /^data: \{"error":\{/m,
}
/** Ends of complete answers; after an error none of them may follow. */
const ENDS = /\[DONE\]|response\.completed|message_stop|"finishReason"/

const OPT_OUTS: Readonly<Record<string, (call: Call) => Ask>> = {
  'x-gateway-no-fallback': ({ body }) => ({ body, headers: { 'x-gateway-no-fallback': 'true' } }),
  'provider.allow_fallbacks': ({ body }) => ({ body: { ...body, provider: { allow_fallbacks: false } } }),
}

const calls = (rig: Rig): number => rig.first.received.length + rig.second.received.length

function assertSecond(name: string, { starts }: Call, told: Told): void {
  assert.equal(told.status, 200, `${name}: ${told.text}`)
  assert.equal(told.headers.get('x-gateway-attempts'), '2', name)
  assert.ok(told.text.includes(GOOD) || told.text.includes('second'), `${name}: ${told.text}`)
  assert.ok(!told.text.includes(BAD) && !told.text.includes('pay'), `${name} saw the first`)
  assert.equal(told.text.match(starts)?.length ?? 0, 1, `${name}: one start`)
}

function assertBroken(name: string, told: Told): void {
  assert.equal(told.status, 200, name)
  assert.match(told.text, BROKEN[name]!, `${name}: ${told.text}`)
  assert.doesNotMatch(told.text, ENDS, name)
  assert.ok(!told.text.includes('second'), `${name}: spliced`)
}

for (const [kind, surfaces] of KINDS) {
  suite(`B10: ${kind}`, () => {
    for (const [what, fault] of Object.entries(FAULTS)) {
      const isCommitted = kind === 'streamed' && fault.isCommitted === true
      const scriptOf = (name: string, call: Call) => (kind === 'whole' ? fault.whole : fault.streamed(name, call))

      test(`${what}: ${isCommitted ? 'the protocol’s error, nothing spliced' : 'invisible'}`, async () => {
        await using rig = await startRig()
        for (const [name, call] of Object.entries(surfaces)) {
          const before = calls(rig)
          rig.first.script(scriptOf(name, call))
          const told = await rig.gateway.ask(call.path, { body: call.body })
          if (isCommitted) assertBroken(name, told)
          else assertSecond(name, call, told)
          assert.equal(calls(rig) - before, isCommitted ? 1 : 2, name)
          await assertOnlyWinnerPaid(rig, told, isCommitted)
        }
      })

      test(`${what}: with either opt-out one upstream call`, async () => {
        await using rig = await startRig()
        for (const [name, call] of Object.entries(surfaces)) {
          for (const [how, ask] of Object.entries(OPT_OUTS)) {
            const before = calls(rig)
            const passedBy = rig.second.received.length
            rig.first.script(scriptOf(name, call))
            const told = await rig.gateway.ask(call.path, ask(call))
            assert.equal(calls(rig) - before, 1, `${name}, ${how}: ${told.text}`)
            // The first opt-out has paused the backend: its script is for nobody.
            if (rig.second.received.length > passedBy) assert.equal(what, '429')
            else if (isCommitted) assertBroken(name, told)
            // An empty answer is an answer, where nobody else is asked.
            else if (what === 'empty completion') assert.equal(told.status, 200, name)
            else assert.ok(told.status >= 400, `${name}: ${told.status} ${told.text}`)
          }
        }
      })
    }
  })
}

/** Input 10 and output 5, as the second backend sold them. */
const PRICE_OF_SECOND = '0.000105'

/** Fault M7: what a loser cost is never the account's. */
async function assertOnlyWinnerPaid(rig: Rig, told: Told, isCommitted: boolean): Promise<void> {
  const id = told.headers.get('x-request-id')!
  const entries = await rig.gateway.ledger(rig.gateway.accountId)
  const own = entries.filter(({ request_id, type }) => request_id === id && type === 'usage')
  const row = await rig.gateway.log(id)
  if (isCommitted) {
    assert.equal(row.status, 'upstream_disconnect')
    assert.ok(own.length <= 1)
    return
  }
  assert.equal(own.length, 1)
  assert.equal(Number(own[0].amount), -Number(PRICE_OF_SECOND), own[0].amount)
  assert.equal(Number(row.charged_cost), Number(PRICE_OF_SECOND))
}

suite('B10: an answer that says nothing', () => {
  const EMPTY = { text: '', usage: { output: 0 } }

  for (const [kind, surfaces] of KINDS) {
    test(`${kind}: is passed on as it is where no other backend is left`, async () => {
      await using rig = await startRig({}, false)
      for (const [name, call] of Object.entries(surfaces)) {
        const before = calls(rig)
        rig.first.script(EMPTY)
        const told = await rig.gateway.ask(call.path, { body: call.body })
        assert.equal(told.status, 200, told.text)
        assert.equal(calls(rig) - before, 1)
        assert.equal(told.text.match(call.starts)?.length, 1)
        if (kind === 'streamed') assert.match(told.text, ENDS, name)
        assert.doesNotMatch(told.text, /"error":\{/)
        assert.equal((await rig.gateway.log(told.headers.get('x-request-id')!)).status, 'ok')
      }
    })

    test(`${kind}: stands when the others do worse`, async () => {
      await using rig = await startRig()
      for (const call of Object.values(surfaces)) {
        rig.first.script(EMPTY)
        rig.second.script({ status: 500, body: errorBody })
        const told = await rig.gateway.ask(call.path, { body: call.body })
        assert.equal(told.status, 200, told.text)
        assert.equal(told.headers.get('x-gateway-attempts'), '2')
        const row = await rig.gateway.log(told.headers.get('x-request-id')!)
        assert.deepEqual(
          row.attempts.map(({ error_code }: { error_code: string | null }) => error_code),
          ['empty_completion', 'upstream_error'],
        )
        assert.ok(!row.backend_id.endsWith('-2'))
      }
    })

    test(`${kind}: of the last backend is the answer`, async () => {
      await using rig = await startRig()
      for (const call of Object.values(surfaces)) {
        const before = calls(rig)
        rig.first.script(EMPTY)
        rig.second.script(EMPTY)
        const told = await rig.gateway.ask(call.path, { body: call.body })
        assert.equal(told.status, 200, told.text)
        assert.equal(calls(rig) - before, 2)
      }
    })

    test(`${kind}: but was paid for as output is an answer`, async () => {
      await using rig = await startRig()
      for (const call of Object.values(surfaces)) {
        const before = calls(rig)
        rig.first.script({ text: '', usage: { output: 7 } })
        const told = await rig.gateway.ask(call.path, { body: call.body })
        assert.equal(told.status, 200, told.text)
        assert.equal(calls(rig) - before, 1)
      }
    })
  }
})
