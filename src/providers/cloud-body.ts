import type { Protocol } from '#base/protocols.ts'
import { ObjectScan } from '#wire/json-scan.ts'
import { applyEdits } from '#wire/splice.ts'
import type { Cloud } from './cloud.ts'

/** What a cloud's own form of the Messages API says in place of the header `anthropic-version`. */
const VERSIONS = { bedrock: 'bedrock-2023-05-31', vertex: 'vertex-2023-10-16' } as const

/** Shared: scanning is synchronous. */
const SCAN = new ObjectScan(['model', 'stream', 'anthropic_version', 'anthropic_beta'])
const [MODEL, STREAM, VERSION, BETA] = [0, 1, 2, 3] as const

/**
 * A Messages body as a cloud takes it: the path names the model, the version stands in the body, and on Bedrock the path
 * tells a stream and the body the betas. All else keeps its bytes. Bodies of other protocols are returned as they are.
 */
export function cloudBody(
  cloud: Cloud,
  protocol: Protocol,
  operation: 'generate' | 'embed' | 'count',
  body: Buffer,
  betas: string | undefined,
): Buffer {
  if (protocol !== 'anthropic-messages' || cloud.kind === 'azure') return body
  SCAN.scan(body)
  const added: string[] = []
  if (!SCAN.has(VERSION)) added.push(`"anthropic_version":"${VERSIONS[cloud.kind]}"`)
  const names = cloud.kind === 'bedrock' && !SCAN.has(BETA) ? namesIn(betas) : []
  if (names.length > 0) added.push(`"anthropic_beta":${JSON.stringify(names)}`)
  let result = added.length > 0 ? insertFirst(body, added) : body
  // Vertex's counter is one for all models and reads the name.
  if (operation !== 'count') result = without(result, MODEL)
  return cloud.kind === 'bedrock' ? without(result, STREAM) : result
}

const namesIn = (header: string | undefined): string[] =>
  (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

function insertFirst(body: Buffer, members: readonly string[]): Buffer {
  const start = SCAN.open + 1
  const bytes = Buffer.from(members.join(',') + (SCAN.empty ? '' : ','))
  return applyEdits(body, [{ start, end: start, bytes }])
}

/** The object without one of its members, which stands there at most once. */
function without(body: Buffer, member: number): Buffer {
  SCAN.scan(body)
  if (!SCAN.has(member)) return body
  const colon = body.lastIndexOf(COLON, SCAN.start[member]! - 1)
  const closing = body.lastIndexOf(QUOTE, colon)
  // Neither of our names has a quote in it, however it is spelt.
  let start = body.lastIndexOf(QUOTE, closing - 1)
  let end = skipSpace(body, SCAN.end[member]!)
  if (body[end] === COMMA) end = skipSpace(body, end + 1)
  else {
    let before = start - 1
    while (isSpace(body[before])) before--
    if (body[before] === COMMA) start = before
  }
  return applyEdits(body, [{ start, end, bytes: NOTHING }])
}

const NOTHING = Buffer.alloc(0)
const COLON = 0x3a
const QUOTE = 0x22
const COMMA = 0x2c

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

function skipSpace(body: Buffer, from: number): number {
  let at = from
  while (isSpace(body[at])) at++
  return at
}
