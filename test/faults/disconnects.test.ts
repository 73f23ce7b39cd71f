/**
 * M3, R77: clients that leave, wherever an answer is: before its headers, at its first event, in the middle, behind its usage. A
 * provider that cancels has sold what it said; one that runs on sells it all, and is read on so that it can say so.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { parseUsd } from '#base/money.ts'
import { DRAINS_MAX } from '#data-plane/drains.ts'
import { type Json, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'
import type { Frame, Received, Reply } from '#test/upstream/upstream.ts'
import { eventually } from './gateway.ts'
import { type ChatSurface, faultConfig, modelOf, SURFACES, type Tokens, WIRES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
/** Clients of each kind. */
const CLIENTS = FULL ? 200 : 3
const AT_ONCE_MAX = 200
const ABORT_MS_MAX = 1000
const SETTLE_MS_MAX = 10_000
/** Of a bill that nobody reports. */
const ESTIMATE_ERROR_MAX = 0.05
const PRICE = { input: 1, output: 2 }
const NANO = { input: 1000n, output: 2000n }
/** Its tokenizer is known, so that the upstream can count as it does. */
const UPSTREAM_MODEL = 'gpt-4o-2024-11-20'
/** What a request and a turn cost there beside their text. */
const PROMPT_OVERHEAD = 7

const CUTS = ['before the headers', 'at the first event', 'in the middle', 'behind the usage'] as const
type Cut = (typeof CUTS)[number]
const HABITS = ['cancels', 'runs on'] as const
type Habit = (typeof HABITS)[number]

const TEXTS = [
  'A ledger that nobody can check is a story. Each entry names its request, its price and who reported the tokens; the sum of all entries is the balance, and there is no second one.\n\nThat is all there is to it, and it is enough.',
  'function settle(hold, cost) {\n  if (cost > hold.amount) {\n    return { charged: hold.amount, absorbed: cost - hold.amount }\n  }\n  return { "charged": cost, "absorbed": 0 }\n}\n',
  'Größe ist nicht alles: das Konto wird niemals negativ, auch wenn hundert Anfragen zugleich kommen. 予約してから精算します。Цена фиксируется в начале запроса. 🎉 Done.',
]
const PROMPTS = [
  'Explain in plain words how a prepaid account can be charged for a stream whose length nobody knows before it ends, and what happens when the reader closes the connection. '.repeat(
    4,
  ),
  'Schreibe mir bitte eine Funktion, die einen Betrag in Nano-Dollar rundet. 半分は切り上げます。 const half = 500n; '.repeat(
    5,
  ),
]

/** One call as the upstream plays it, and its own bill. */
interface Call {
  readonly id: string
  /** What the client speaks, and what the upstream. */
  readonly client: ChatSurface
  readonly surface: ChatSurface
  readonly cut: Cut
  readonly prompt: string
  readonly pieces: readonly string[]
  /** Pieces that are sent before the client leaves. */
  readonly sentCount: number
  readonly whole: Tokens
  readonly gate: PromiseWithResolvers<void>
  readonly arrived: PromiseWithResolvers<void>
}

let callCount = 0
const calls = new Map<string, Call>()

function newCall(surface: ChatSurface, cut: Cut, client = surface): Call {
  const at = callCount++
  const id = `call-${at}`
  const prompt = `${id}: ${PROMPTS[at % PROMPTS.length]!}`
  const pieces = TEXTS[at % TEXTS.length]!.match(/\s*\S+\s*$|\s*\S+/g)!
  const sentCount =
    cut === 'at the first event' ? 1 : cut === 'in the middle' ? 2 + ((at * 7) % (pieces.length - 2)) : pieces.length
  const said = pieces.join('') + (surface === 'gemini' ? ' All done.' : '')
  const whole = { input: PROMPT_OVERHEAD + countTokens(prompt), output: countTokens(said) }
  const call = {
    id,
    client,
    surface,
    cut,
    prompt,
    pieces,
    sentCount,
    whole,
    gate: Promise.withResolvers<void>(),
    arrived: Promise.withResolvers<void>(),
  }
  calls.set(id, call)
  return call
}

/** Where the protocol says its usage before its end, the end comes behind the gate. */
const ENDS: Partial<Record<ChatSurface, string>> = {
  'openai-chat': 'data: [DONE]',
  'anthropic-messages': 'event: message_stop',
}

/** The usage of Responses stands in its last event: what follows is not waited for, and reading on is over in no time. */
const isWhole = ({ cut, surface }: Call): boolean => cut === 'behind the usage' && surface === 'openai-responses'

function play(received: Received): Reply {
  const id = /call-\d+/.exec(received.bytes.toString('utf8'))![0]
  const call = calls.get(id)!
  const { surface, cut, pieces, sentCount, whole, gate } = call
  call.arrived.resolve()
  const wire = WIRES[surface]
  const deltas = pieces.map((piece) => wire.delta(UPSTREAM_MODEL, piece))
  const end = wire.finish(UPSTREAM_MODEL, whole)
  const begin = wire.begin(UPSTREAM_MODEL, whole.input)
  const halt: Frame = { text: '', waitFor: gate.promise }
  if (cut === 'before the headers') return { waitFor: gate.promise, frames: [begin, ...deltas, end] }
  if (cut === 'behind the usage') {
    const at = ENDS[surface] === undefined ? end.length : end.indexOf(ENDS[surface])
    return { frames: [begin, ...deltas, end.slice(0, at), halt, end.slice(at)] }
  }
  return { frames: [begin, ...deltas.slice(0, sentCount), halt, ...deltas.slice(sentCount), end] }
}

/** What the upstream has sold when its caller hangs up at the gate. */
function soldAtGate({ cut, pieces, sentCount, whole }: Call): Tokens {
  if (cut === 'before the headers') return { input: 0, output: 0 }
  if (cut === 'behind the usage') return whole
  return { input: whole.input, output: countTokens(pieces.slice(0, sentCount).join('')) }
}

const TEXT_IN: Readonly<Record<ChatSurface, (event: Json) => string>> = {
  'openai-chat': (event) => event.choices?.[0]?.delta?.content ?? '',
  'openai-responses': (event) => (event.type === 'response.output_text.delta' ? event.delta : ''),
  'anthropic-messages': (event) => event.delta?.text ?? '',
  gemini: (event) => event.candidates?.[0]?.content?.parts?.[0]?.text ?? '',
}

/** By what a client sees that the upstream has told its usage. The last events of Responses come in one piece. */
const USAGE_SEEN: Readonly<Record<ChatSurface, string>> = {
  'openai-chat': '"usage":{',
  'openai-responses': 'response.output_item.done',
  'anthropic-messages': '"message_delta"',
  gemini: '"usageMetadata"',
}

function isReached({ client, cut, pieces, sentCount }: Call, text: string): boolean {
  if (cut === 'behind the usage') return text.includes(USAGE_SEEN[client])
  const whole = text.slice(0, text.lastIndexOf('\n\n') + 1)
  const events = whole.split('\n').filter((line) => line.startsWith('data: {'))
  const said = events.map((line) => TEXT_IN[client](JSON.parse(line.slice('data: '.length)))).join('')
  return said.length >= pieces.slice(0, sentCount).join('').length
}

/** Asks, reads up to the cut and leaves. */
async function askAndLeave(gateway: TestGateway, key: string, call: Call): Promise<void> {
  const { client, surface, cut, prompt, id } = call
  const wire = WIRES[client]
  const model = modelOf(surface)
  const extra = client === 'openai-chat' ? { stream_options: { include_usage: true } } : {}
  const body = { ...wire.body(model, true, 1000, prompt), ...extra }
  const leaving = new AbortController()
  const ask = { key, body, signal: leaving.signal, headers: { 'x-request-id': id } }
  const opened = gateway.open(wire.path(model, true), ask)
  if (cut === 'before the headers') {
    await call.arrived.promise
    leaving.abort()
    await assert.rejects(opened)
    return
  }
  const response = await opened
  assert.equal(response.status, 200)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!isReached(call, text)) {
    const { value, done } = await reader.read()
    assert.ok(!done, `${id} ended before its cut: ${text}`)
    text += value
  }
  leaving.abort()
}

const nanoOf = ({ input, output }: Tokens): bigint => BigInt(input) * NANO.input + BigInt(output) * NANO.output

/** Compares what was charged with the upstream's own bill. */
function assertBill(call: Call, row: Json, sold: Tokens): void {
  const told = `${call.id} ${call.client} to ${call.surface} ${call.cut}: ${JSON.stringify([row.status, row.usage_source, row.tokens, sold])}`
  // Where the answer was whole before the client was seen to leave, nothing was cut off.
  assert.ok(row.status === 'client_cancelled' || (isWhole(call) && row.status === 'ok'), told)
  const charged = parseUsd(row.charged_cost ?? '0')!
  const bill = nanoOf(sold)
  if (row.usage_source === 'upstream') {
    assert.equal(charged, bill, told)
    return
  }
  if (bill === 0n) {
    assert.deepEqual([charged, row.usage_source], [0n, 'none'], told)
    return
  }
  assert.equal(row.usage_source, 'estimated', told)
  assert.ok(charged > 0n, told)
  const error = Math.abs(Number(charged - bill)) / Number(bill)
  assert.ok(error <= ESTIMATE_ERROR_MAX, `${(100 * error).toFixed(1)} % off: ${told}`)
}

/** Whether the upstream says its usage where the client leaves. */
const isReported = (cut: Cut, habit: Habit): boolean => habit === 'runs on' || cut === 'behind the usage'

const readOn = async (gateway: TestGateway): Promise<number> =>
  (await gateway.admin('GET', '/v1/diagnostics')).requests.read_on

/** Runs clients that leave, some at a time; each is followed to the end of its upstream call. */
async function leaveAll(gateway: TestGateway, key: string, all: readonly Call[], habit: Habit): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE_MAX) {
    const some = all.slice(from, from + AT_ONCE_MAX)
    const { aborted, completed } = gateway.upstream
    await Promise.all(some.map((call) => askAndLeave(gateway, key, call)))
    const leftAt = performance.now()
    if (habit === 'runs on') {
      const read = async () => (await readOn(gateway)) >= some.length || undefined
      if (!some.every(isWhole)) await eventually('all are read on', ABORT_MS_MAX, read)
      for (const { gate } of some) gate.resolve()
    }
    // Whoever was past its last event has ended, and not been cut off.
    const ended = () => gateway.upstream.aborted - aborted + gateway.upstream.completed - completed
    await eventually('each upstream call ends', ABORT_MS_MAX, async () => ended() >= some.length || undefined)
    assert.ok(performance.now() - leftAt <= ABORT_MS_MAX)
    if (habit === 'runs on') assert.equal(gateway.upstream.aborted, aborted, 'whoever runs on is read on')
  }
}

const config = (drain: boolean | number) => (url: string) => {
  const { backends, models, routes } = faultConfig(url, PRICE) as Record<string, Json>
  return {
    backends,
    models,
    routes: routes.map((route: Json) => ({ ...route, upstream_model: UPSTREAM_MODEL })),
    routing: { drain_on_disconnect: drain },
  }
}

/** Each protocol with itself, and translated into the next. */
const PAIRS = SURFACES.flatMap((surface, at) => [
  [surface, surface] as const,
  [SURFACES[(at + 1) % SURFACES.length]!, surface] as const,
])

suite('M3: clients that leave', () => {
  const gateways = {} as Record<Habit, TestGateway>
  before(async () => {
    gateways['cancels'] = await startTestGateway({ config: config(false), always: play })
    gateways['runs on'] = await startTestGateway({ config: config(1), always: play })
  })
  after(() => Promise.all(Object.values(gateways).map((gateway) => gateway.close())))

  for (const habit of HABITS) {
    for (const [client, surface] of PAIRS) {
      for (const cut of CUTS) {
        // A translated answer tells its usage with its end.
        if (client !== surface && cut === 'behind the usage') continue
        const who = client === surface ? client : `${client} to ${surface}`
        test(`M3: ${who}: ${CLIENTS} clients leave ${cut}, the provider ${habit}`, async () => {
          const gateway = gateways[habit]
          const { key, accountId } = await gateway.fund({ credit: '10' })
          const all = Array.from({ length: CLIENTS }, () => newCall(surface, cut, client))
          await leaveAll(gateway, key, all, habit)
          const rows: Json[] = await eventually('a row each', SETTLE_MS_MAX, async () => {
            const found = await gateway.logs(accountId)
            return found.length >= CLIENTS ? found : undefined
          })
          assert.equal(rows.length, CLIENTS)
          const byId = new Map(rows.map((row) => [row.client_request_id, row]))
          assert.equal(byId.size, CLIENTS, 'one row each')
          let charged = 0n
          for (const call of all) {
            const row = byId.get(call.id)
            assertBill(call, row, habit === 'runs on' ? call.whole : soldAtGate(call))
            if (isReported(cut, habit)) assert.equal(row.usage_source, 'upstream', JSON.stringify(row.tokens))
            charged += parseUsd(row.charged_cost ?? '0')!
          }
          const account = await gateway.account(accountId)
          assert.equal(account.held, '0')
          assert.equal(parseUsd(account.balance), 10_000_000_000n - charged)
          const paid = (await gateway.ledger(accountId)).filter(({ type }: Json) => type === 'usage')
          assert.equal(new Set(paid.map(({ request_id }: Json) => request_id)).size, paid.length)
        })
      }
    }
  }

  test('M3: the drain ends in its time: an upstream that never does is hung up on, and what it said is paid', async () => {
    const gateway = gateways['runs on']
    const { key, accountId } = await gateway.fund({ credit: '10' })
    const call = newCall('openai-chat', 'in the middle')
    const { aborted } = gateway.upstream
    await askAndLeave(gateway, key, call)
    await gateway.upstream.whenAborted(aborted + 1)
    const row: Json = await eventually('its row', SETTLE_MS_MAX, async () => (await gateway.logs(accountId))[0])
    assertBill(call, row, soldAtGate(call))
  })

  test('M3: a whole answer is read on as well, and paid', async () => {
    const gateway = gateways['runs on']
    const { key, accountId } = await gateway.fund({ credit: '10' })
    const gate = Promise.withResolvers<void>()
    gateway.upstream.script({
      waitFor: gate.promise,
      body: WIRES['openai-chat'].unary('m', { input: 40, output: 7 }) as object,
    })
    const leaving = new AbortController()
    const received = gateway.upstream.count()
    const body = WIRES['openai-chat'].body(modelOf('openai-chat'), false, 100, 'Hello')
    const asked = gateway.open('/v1/chat/completions', { key, body, signal: leaving.signal })
    await gateway.upstream.whenReceived(received + 1)
    leaving.abort()
    await assert.rejects(asked)
    await eventually('it is read on', ABORT_MS_MAX, async () => (await readOn(gateway)) === 1 || undefined)
    gate.resolve()
    const row: Json = await eventually('its row', SETTLE_MS_MAX, async () => (await gateway.logs(accountId))[0])
    assert.deepEqual([row.status, row.usage_source, row.charged_cost], ['client_cancelled', 'upstream', '0.000054'])
  })

  test(`M3: at most ${DRAINS_MAX} are read on at a time; whoever leaves beyond that is hung up on at once`, async () => {
    const OVER = 5
    await using gateway = await startTestGateway({ config: config(60), always: play })
    const { key, accountId } = await gateway.fund({ credit: '10' })
    const all = Array.from({ length: DRAINS_MAX + OVER }, () => newCall('openai-chat', 'at the first event'))
    await Promise.all(all.map((call) => askAndLeave(gateway, key, call)))
    await gateway.upstream.whenAborted(OVER)
    assert.equal(gateway.upstream.aborted, OVER)
    for (const { gate } of all) gate.resolve()
    await gateway.upstream.whenCompleted(DRAINS_MAX)
    const rows: Json[] = await eventually('a row each', SETTLE_MS_MAX, async () => {
      const found = await gateway.logs(accountId)
      return found.length === all.length ? found : undefined
    })
    assert.equal(rows.filter((row) => row.usage_source === 'upstream').length, DRAINS_MAX)
    for (const call of all) {
      const row = rows.find((one) => one.client_request_id === call.id)
      assertBill(call, row, row.usage_source === 'upstream' ? call.whole : soldAtGate(call))
    }
  })
})
