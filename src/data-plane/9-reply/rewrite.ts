import { formatUsd } from '#base/money.ts'
import type { Cost } from '#ledger/cost.ts'
import { isAt } from '#wire/bytes-at.ts'
import { ObjectScan, valueEnd } from '#wire/json-scan.ts'
import type { Edit } from '#wire/splice.ts'

/** The few bytes of an answer that are ours: the model's public name (R2) and the cost (R100). */

/** Puts the public model id in place of the upstream's own name; null when it stands there already. */
export function modelEdit(bytes: Buffer, start: number, end: number, publicName: Buffer): Edit | null {
  return start < 0 || isAt(publicName, bytes, start, end) ? null : { start, end, bytes: publicName }
}

/** The public id as it stands in the body, quotes included. */
export function publicNameOf(model: { readonly id: string }): Buffer {
  let name = PUBLIC_NAMES.get(model)
  if (!name) PUBLIC_NAMES.set(model, (name = Buffer.from(JSON.stringify(model.id))))
  return name
}

/** Every answer has one. They go with the catalog that their models are of. */
const PUBLIC_NAMES = new WeakMap<object, Buffer>()

const COST = Buffer.from('"cost"')
const USAGE_SCAN = new ObjectScan(['cost'])

/**
 * Inserts `cost` behind the `{` of a usage object, or replaces the one that a gateway behind us wrote. `namesCost`: whether
 * one may stand there.
 */
export function costEdits(
  bytes: Buffer,
  usageOpen: number,
  cost: Cost | null,
  detailed: boolean,
  namesCost = true,
): Edit[] {
  const text = cost === null ? 'null' : formatUsd(cost.nano)
  const edits: Edit[] = []
  // Only the usage's own member: a tool's parameter or a client's metadata may be called so too.
  if (namesCost && bytes.indexOf(COST, usageOpen) >= 0)
    USAGE_SCAN.scan(bytes, usageOpen - 1, valueEnd(bytes, usageOpen - 1))
  else USAGE_SCAN.clear()
  if (USAGE_SCAN.has(0)) {
    edits.push({ start: USAGE_SCAN.start[0]!, end: USAGE_SCAN.end[0]!, bytes: text })
    return edits
  }
  const more = detailed ? `${detailsOf(cost)},` : ''
  edits.push({ start: usageOpen, end: usageOpen, bytes: `"cost":${text},${more}` })
  return edits
}

/** OpenRouter's own members beside the cost; its SDK reads them under `/api/v1` only. */
function detailsOf(cost: Cost | null): string {
  const usd = (nano: bigint | undefined) => (nano === undefined ? 'null' : formatUsd(nano))
  const part = (isOutput: boolean) => {
    if (cost === null) return undefined
    const lines = cost.lines.filter((line) => (line.class === 'output' || line.class === 'reasoning') === isOutput)
    const pico = lines.reduce((sum, line) => sum + line.pico, 0n)
    const { listNano, meteredNano } = cost
    return listNano === meteredNano ? (pico + 500n) / 1000n : (pico * meteredNano) / (listNano * 1000n)
  }
  const details = [
    `"upstream_inference_cost":${usd(cost?.meteredNano)}`,
    `"upstream_inference_prompt_cost":${usd(part(false))}`,
    `"upstream_inference_completions_cost":${usd(part(true))}`,
    // The same two as Responses names them.
    `"upstream_inference_input_cost":${usd(part(false))}`,
    `"upstream_inference_output_cost":${usd(part(true))}`,
  ]
  return `"cost_details":{${details.join(',')}},"is_byok":false`
}
