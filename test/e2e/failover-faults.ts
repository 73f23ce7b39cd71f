import type { Frame, Received, Reply, Script } from '#test/upstream/upstream.ts'
import { type Call, errorBody, framesOf, json, opening } from './two-backends.ts'

/** The twelve faults of B10, as an upstream commits them, whole and streamed, on each of the four surfaces. */

export interface Fault {
  readonly whole: Script
  streamed(surface: string, call: Call): Script
  /** In a stream it comes after the first content: then nothing may be repaired. */
  readonly isCommitted?: boolean
}

/** The wait of the tests' timeouts is 300 ms; these are beyond it. */
const SLOW_MS = 2000
const DRIP_MS = 60
const DRIPS = 40

const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
const event = (value: { readonly type: string }): string => `event: ${value.type}\n${data(value)}`

const chunk = (delta: object): string =>
  data({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: null }] })

/** The beginning of a call of a tool, its arguments half said. */
const HALF_CALL: Readonly<Record<string, readonly string[]>> = {
  chat: [
    chunk({
      role: 'assistant',
      tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'pay', arguments: '{"amount":' } }],
    }),
  ],
  responses: [
    event(
      Object.assign(
        { type: 'response.output_item.added' },
        {
          sequence_number: 2,
          output_index: 0,
          item: { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'pay', arguments: '' },
        },
      ),
    ),
    event(
      Object.assign(
        { type: 'response.function_call_arguments.delta' },
        { sequence_number: 3, item_id: 'fc_1', output_index: 0, delta: '{"amount":' },
      ),
    ),
  ],
  messages: [
    event(
      Object.assign(
        { type: 'content_block_start' },
        { index: 0, content_block: { type: 'tool_use', id: 'toolu_1', name: 'pay', input: {} } },
      ),
    ),
    event(
      Object.assign(
        { type: 'content_block_delta' },
        { index: 0, delta: { type: 'input_json_delta', partial_json: '{"amount":' } },
      ),
    ),
  ],
  gemini: [
    data({ candidates: [{ content: { role: 'model', parts: [{ functionCall: { name: 'pay', args: {} } }] } }] }),
  ],
}

/** Frames of a lifecycle before any item is opened. */
const HEADS: Readonly<Record<string, number>> = { chat: 0, responses: 2, messages: 1, gemini: 0 }

/** A Gemini stream has no opening of its own; a chunk without a part says as much as a role. */
const ROLE_ONLY = data({ candidates: [{ content: { role: 'model', parts: [] }, index: 0 }] })

const roleFrames = (surface: string, { opening: count }: Call, received: Received): readonly Frame[] =>
  surface === 'gemini' ? [ROLE_ONLY] : framesOf(received).slice(0, count)

const afterRole =
  (rest: readonly Frame[], end: Partial<Reply>): Fault['streamed'] =>
  (surface, call) =>
  (received) => {
    const frames = [...roleFrames(surface, call, received), ...rest]
    return { frames, ...end, ...('cutAfterFrames' in end ? { cutAfterFrames: frames.length } : {}) }
  }

const always =
  (reply: Reply): Fault['streamed'] =>
  () =>
    reply

const same = (reply: Reply): Fault => ({ whole: reply, streamed: always(reply) })

const DRIPPED = Array.from({ length: DRIPS }, () => ': still here\n\n')
const EMPTY: Reply = { text: '', usage: { output: 0 } }
/** Long enough that a cut falls into it. */
const CUT_WHOLE: Reply = { cutAfterBytes: 120 }

export const FAULTS: Readonly<Record<string, Fault>> = {
  'reset before headers': same({ cutAfterBytes: 0, headers: json }),
  '429': same({ status: 429, body: errorBody, headers: { 'retry-after': '60' } }),
  '503': same({ status: 503, body: errorBody }),
  '529': same({ status: 529, body: errorBody }),
  'error in a 200': same({ status: 200, headers: json, body: errorBody }),
  'role only, then reset': { whole: { cutAfterBytes: 1 }, streamed: afterRole([], { cutAfterFrames: 0 }) },
  'empty completion': same(EMPTY),
  'slow first token': {
    whole: { hang: true },
    streamed: afterRole([{ text: 'data: {}\n\n', delayMs: SLOW_MS }], {}),
  },
  'throughput below the minimum': {
    whole: { frames: Array.from({ length: DRIPS }, () => ' '), headers: json, frameDelayMs: DRIP_MS },
    streamed: afterRole(DRIPPED, { frameDelayMs: DRIP_MS }),
  },
  'end without a finish': {
    whole: { status: 200, headers: json, body: '{"half":' },
    streamed: afterRole([], {}),
  },
  'cut in a tool call': {
    whole: CUT_WHOLE,
    streamed: (surface) => (received) => {
      const frames = [...framesOf(received).slice(0, HEADS[surface]), ...HALF_CALL[surface]!]
      return { frames, cutAfterFrames: frames.length }
    },
    isCommitted: true,
  },
  'cut in a text': {
    whole: CUT_WHOLE,
    streamed: (_surface, { opening: count }) => opening(count + 1, { cutAfterFrames: count + 1 }),
    isCommitted: true,
  },
}
