import { Refusal } from './fields.ts'

/** What the header `X-Fault` asks for (B12); null and false ask for nothing. */
export interface FaultList {
  readonly status: number | null
  readonly retryAfterSeconds: number | null
  /** The socket is destroyed after so many content events; 0: before anything is answered. */
  readonly resetAfter: number | null
  /** The stream ends cleanly behind its last content; a whole body does not say why it ended. */
  readonly noFinishFrame: boolean
  /** Wait before anything is answered, and before each content event. */
  readonly ttftMs: number
  readonly chunkMs: number
  /** An error in the protocol's own shape, with status 200. */
  readonly errorIn200: boolean
  /** Status 200, and nothing else. */
  readonly empty: boolean
  /** The arguments of tool calls are cut in their middle. */
  readonly badToolJson: boolean
  /** There are two calls at least, and all have one id. */
  readonly duplicateToolId: boolean
  readonly noUsage: boolean
  /** Writes end inside of characters. */
  readonly splitUtf8: boolean
  /** Reasoning carries a seal that was not made over it. */
  readonly wrongSignature: boolean
}

/** A longer wait is no fault but a leak. */
export const FAULT_WAIT_MS_MAX = 600_000
/** A longer list is refused. */
export const FAULT_CHARACTERS_MAX = 256

type Draft = { -readonly [Name in keyof FaultList]: FaultList[Name] }

const FLAGS: Readonly<Record<string, (draft: Draft) => void>> = {
  '429': (draft) => (draft.status = 429),
  '503': (draft) => (draft.status = 503),
  '529': (draft) => (draft.status = 529),
  reset: (draft) => (draft.resetAfter = 0),
  'no-finish-frame': (draft) => (draft.noFinishFrame = true),
  'error-in-200': (draft) => (draft.errorIn200 = true),
  empty: (draft) => (draft.empty = true),
  'bad-tool-json': (draft) => (draft.badToolJson = true),
  'duplicate-tool-id': (draft) => (draft.duplicateToolId = true),
  'no-usage': (draft) => (draft.noUsage = true),
  'split-utf8': (draft) => (draft.splitUtf8 = true),
  'wrong-signature': (draft) => (draft.wrongSignature = true),
}

const VALUES: Readonly<Record<string, (draft: Draft, text: string) => void>> = {
  'retry-after': (draft, text) => (draft.retryAfterSeconds = readNumber(text)),
  'reset-after': (draft, text) => (draft.resetAfter = readNumber(text)),
  'slow-ttft': (draft, text) => (draft.ttftMs = readWait(text)),
  'chunk-delay': (draft, text) => (draft.chunkMs = readWait(text)),
}

/** Every fault by its name; those of the second list take a value behind `=`. */
export const FAULT_NAMES = [...Object.keys(FLAGS), ...Object.keys(VALUES)]

/** Reads a list such as `slow-ttft=8s|503|retry-after=3`. Throws Refusal 400 for what it does not know. */
export function readFaults(text: string): FaultList {
  const draft: Draft = {
    status: null,
    retryAfterSeconds: null,
    resetAfter: null,
    noFinishFrame: false,
    ttftMs: 0,
    chunkMs: 0,
    errorIn200: false,
    empty: false,
    badToolJson: false,
    duplicateToolId: false,
    noUsage: false,
    splitUtf8: false,
    wrongSignature: false,
  }
  if (text.length > FAULT_CHARACTERS_MAX) throw unknown('this long list')
  for (const one of text.split('|').map((part) => part.trim())) {
    if (one === '') continue
    const equals = one.indexOf('=')
    const name = equals < 0 ? one : one.slice(0, equals)
    const read = equals < 0 ? FLAGS : VALUES
    if (!Object.hasOwn(read, name)) throw unknown(`"${one}"`)
    read[name]!(draft, one.slice(equals + 1))
  }
  return draft
}

export const NO_FAULTS: FaultList = readFaults('')

const unknown = (what: string): Refusal =>
  new Refusal(400, `Unknown fault: ${what}. Known: ${FAULT_NAMES.join(', ')}.`, 'unknown_fault', 'x-fault')

function readNumber(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw unknown(`the number "${text}"`)
}

/** `8s`, `500ms`; a bare number is milliseconds. */
function readWait(text: string): number {
  const [, digits, unit] = /^(\d{1,6})(s|ms)?$/.exec(text) ?? []
  if (digits === undefined) throw unknown(`the time "${text}"`)
  return Math.min(FAULT_WAIT_MS_MAX, Number(digits) * (unit === 's' ? 1000 : 1))
}
