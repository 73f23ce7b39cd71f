import { createHash, createHmac } from 'node:crypto'

/**
 * AWS Signature Version 4 for one request whose body is known (docs.aws.amazon.com "Create a signed AWS API request"). Pure:
 * the same input gives the same signature.
 */
export interface RequestToSign {
  readonly method: string
  /** As the `host` header tells it, with the port where it is not the default one. */
  readonly host: string
  /** As it is sent: its segments are URI-encoded (`encodeAwsSegment`), and it holds no query. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Headers that are sent. Those that a proxy may change on the way are not signed. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly region: string
  /** `bedrock` for Bedrock's runtime as well. */
  readonly service: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials; null for those that last. */
  readonly sessionToken: string | null
  readonly at: Date
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** What hops and agents may change, or what the signature itself goes into. */
const UNSIGNED: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
])

/** The headers to add to the request: `authorization`, `x-amz-date`, and `x-amz-security-token` for temporary credentials. */
export function signRequest(request: RequestToSign): Record<string, string> {
  const time = timeOf(request.at)
  const date = time.slice(0, 8)
  const added: Record<string, string> = { 'x-amz-date': time }
  if (request.sessionToken !== null) added['x-amz-security-token'] = request.sessionToken
  const signed = signedHeaders({ ...request.headers, ...added, host: request.host })
  const names = signed.map(([name]) => name).join(';')
  const canonical = [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256(request.body),
  ].join('\n')
  const scope = `${date}/${request.region}/${request.service}/aws4_request`
  const text = [ALGORITHM, time, scope, sha256(canonical)].join('\n')
  const key = signingKey(request.secretAccessKey, date, request.region, request.service)
  const signature = hmac(key, text).toString('hex')
  const credential = `${request.accessKeyId}/${scope}`
  added['authorization'] = `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`
  return added
}

/** A path segment as AWS wants it (RFC 3986): model ids have `:`, and ARNs `/` too. */
export function encodeAwsSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The segments are encoded once more than they are sent: every service but S3 demands it. */
function canonicalPath(path: string): string {
  return path === '' ? '/' : path.split('/').map(encodeAwsSegment).join('/')
}

function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [encodeAwsSegment(name), encodeAwsSegment(value)] as const)
    .toSorted(byName)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** By name in code point order, in lower case, with runs of spaces made one. A later spelling of a name replaces an earlier one. */
function signedHeaders(headers: Readonly<Record<string, string>>): (readonly [string, string])[] {
  const signed = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (!UNSIGNED.has(lower)) signed.set(lower, value.trim().replaceAll(/\s+/g, ' '))
  }
  return [...signed].toSorted(byName)
}

function byName([left]: readonly [string, string], [right]: readonly [string, string]): number {
  return left < right ? -1 : 1
}

/** `20260102T030405Z` */
function timeOf(at: Date): string {
  return `${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  return [region, service, 'aws4_request'].reduce(hmac, hmac(Buffer.from(`AWS4${secret}`), date))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
