import type { AwsAccess } from '#catalog/types.ts'
import { signRequest } from './aws-signature.ts'
import type { UpstreamRequest } from './upstream-request.ts'

/** What Bedrock's runtime signs for, whatever its host is called. */
const SIGNED_FOR = 'bedrock'

/** The headers that sign this request and body with AWS keys, flat like those of the request. */
export function awsHeaders(access: AwsAccess, request: UpstreamRequest, body: Buffer): string[] {
  const headers: Record<string, string> = {}
  for (let at = 0; at < request.headers.length; at += 2) headers[request.headers[at]!] = request.headers[at + 1]!
  const { region, accessKeyId, secretAccessKey, sessionToken } = access
  const signed = signRequest({
    method: 'POST',
    host: new URL(request.origin).host,
    path: request.path,
    query: {},
    headers,
    body,
    region,
    service: SIGNED_FOR,
    accessKeyId,
    secretAccessKey,
    sessionToken,
    at: new Date(),
  })
  return Object.entries(signed).flat()
}
