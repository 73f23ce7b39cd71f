import { ROOT } from '#test/tidy/tree.ts'

/** What a client of the fault lab sees, as data: the test plays it, docs/fault-lab.md shows it (B12). */

export const LAB_SURFACES = ['chat', 'responses', 'messages', 'gemini'] as const
export type LabSurface = (typeof LAB_SURFACES)[number]

export interface FaultCase {
  /** As in `X-Fault`. */
  readonly fault: string
  readonly model: string
  readonly means: string
  /** What is seen, by surface where they differ. */
  readonly whole: string | Readonly<Record<LabSurface, string>>
  readonly stream: string | Readonly<Record<LabSurface, string>>
}

export const DOCUMENT = `${ROOT}/docs/fault-lab.md`

const LIMITED = {
  chat: '429 rate_limit_exceeded, retry-after 1',
  responses: '429 rate_limit_exceeded, retry-after 1',
  messages: '429 upstream_rate_limited, retry-after 1',
  gemini: '429 upstream_rate_limited, retry-after 1',
}
const DOWN = '502 upstream_unavailable'
const BAD = '502 upstream_bad_response'
const BROKEN = '200, error event'
const FINE = '200, complete'
const BAD_TOOL = {
  chat: '200, complete, arguments are no JSON',
  responses: '200, complete, arguments are no JSON',
  messages: '200, complete, arguments are no object',
  gemini: '200, complete, arguments are no object',
}

const both = (fault: string, means: string, seen: FaultCase['whole'], model = 'test/echo'): FaultCase => ({
  fault,
  model,
  means,
  whole: seen,
  stream: seen,
})

export const FAULT_CASES: readonly FaultCase[] = [
  both('429', 'too many requests', LIMITED),
  both('503', 'not available', DOWN),
  both('529', 'overloaded', DOWN),
  both('503|retry-after=3', 'with the seconds to wait', `${DOWN}, retry-after 3`),
  both('reset', 'the connection breaks before an answer', DOWN),
  { ...both('reset-after=3', 'it breaks after 3 content chunks, or inside of a whole body', DOWN), stream: BROKEN },
  { ...both('no-finish-frame', 'the end is missing', '200, without a finish'), stream: BROKEN },
  both('slow-ttft=30ms', 'a wait before the answer', FINE),
  both('chunk-delay=5ms', 'a wait before each content chunk', FINE),
  both('error-in-200', 'an error where an answer should be', DOWN),
  both('empty', 'status 200 and nothing else', BAD),
  both('bad-tool-json', 'the arguments of a tool call are cut', BAD_TOOL, 'test/tools'),
  both('duplicate-tool-id', 'two tool calls with one id', `${FINE}, two calls with one id`, 'test/tools'),
  both('no-usage', 'nothing is said of tokens', `${FINE}, no usage`),
  both('split-utf8', 'writes end inside of characters', FINE),
  both('wrong-signature', 'a seal that does not fit its reasoning', `${FINE}, signature altered`, 'test/thinking'),
]

/** What one surface sees. */
export const seenBy = (seen: FaultCase['whole'], surface: LabSurface): string =>
  typeof seen === 'string' ? seen : seen[surface]

/** The table of the document. Surfaces that see the same share a line. */
export function faultTable(): string {
  const cell = (seen: FaultCase['whole']): string => {
    if (typeof seen === 'string') return seen
    const by = Map.groupBy(LAB_SURFACES, (surface) => seen[surface])
    return [...by].map(([text, surfaces]) => `${surfaces.join(', ')}: ${text}`).join('; ')
  }
  const rows = FAULT_CASES.map(
    ({ fault, model, means, whole, stream }) =>
      `| \`${fault.replace('|', '\\|')}\` | ${means} | \`${model}\` | ${cell(whole)} | ${cell(stream)} |`,
  )
  return [
    '| `X-Fault` | means | tried with | whole answer | stream |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}
