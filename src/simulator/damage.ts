import type { FaultList } from './fault-list.ts'
import { type Fields, isFields } from './fields.ts'
import type { Performance } from './performance.ts'
import type { Step } from './scripts.ts'
import { sealOf } from './seal.ts'
import type { Frame } from './speaker.ts'

/** Faults that damage an answer rather than its delivery (B12). */

/** The id that all calls have. */
const DUPLICATE_ID = 'call_duplicate'

/** What the model did, damaged before a protocol writes it. */
export function damagePerformance(performance: Performance, faults: FaultList): Performance {
  let { steps } = performance
  if (faults.duplicateToolId) steps = withSecondCall(steps)
  if (faults.badToolJson) {
    steps = steps.map((step) => (step.kind === 'call' ? { ...step, arguments: firstHalf(step.arguments) } : step))
  }
  if (faults.wrongSignature) {
    steps = steps.map((step) => (step.kind === 'think' ? { ...step, seal: sealOf(`not ${step.text}`) } : step))
  }
  return { ...performance, steps }
}

function withSecondCall(steps: readonly Step[]): readonly Step[] {
  const calls = steps.filter((step) => step.kind === 'call')
  return calls.length === 1 ? [...steps, calls[0]!] : steps
}

const firstHalf = (text: string): string => text.slice(0, Math.max(1, text.length >> 1))

/** A whole body, damaged. */
export function damageBody(body: Fields, faults: FaultList): Fields {
  return damaged(body, faults, faults.noFinishFrame)
}

/** A stream, damaged. */
export function damageFrames(frames: Iterable<Frame>, faults: FaultList): Iterable<Frame> {
  if (!faults.noUsage && !faults.duplicateToolId && !faults.noFinishFrame) return frames
  const all = [...frames].map((frame) => damageFrame(frame, faults)).filter((frame) => frame !== null)
  return faults.noFinishFrame ? all.slice(0, all.findLastIndex(({ content }) => content) + 1) : all
}

/** Null for a frame that says nothing but usage. */
function damageFrame(frame: Frame, faults: FaultList): Frame | null {
  const lines = frame.text.split('\n').map((line) => {
    if (!line.startsWith('data: {')) return line
    return `data: ${JSON.stringify(damaged(JSON.parse(line.slice('data: '.length)) as Fields, faults, false))}`
  })
  const text = lines.join('\n')
  return faults.noUsage && text.includes('"choices":[]') ? null : { ...frame, text }
}

function damaged(value: Fields, faults: FaultList, unfinished: boolean): Fields {
  const fields: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    if (faults.noUsage && (name === 'usage' || name === 'usageMetadata')) continue
    if (unfinished && name === 'finishReason') continue
    const isCallId = faults.duplicateToolId && isIdOfCall(name, value)
    const isFinish = unfinished && (name === 'finish_reason' || name === 'stop_reason')
    if (isCallId) fields[name] = DUPLICATE_ID
    else if (isFinish) fields[name] = null
    else if (Array.isArray(member)) fields[name] = member.map((one) => deeper(one, faults, unfinished))
    else fields[name] = deeper(member, faults, unfinished)
  }
  if (unfinished && fields['object'] === 'response') fields['status'] = 'in_progress'
  return fields
}

const deeper = (value: unknown, faults: FaultList, unfinished: boolean): unknown =>
  isFields(value) ? damaged(value, faults, unfinished) : value

/** The id by which a result answers its call, in any of the protocols. */
function isIdOfCall(name: string, holder: Fields): boolean {
  if (name === 'call_id') return true
  if (name !== 'id') return false
  return holder['type'] === 'tool_use' || 'function' in holder || 'args' in holder
}
