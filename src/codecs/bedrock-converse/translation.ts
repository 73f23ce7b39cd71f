import type { UpstreamCodec } from '#codecs/translation.ts'
import { ConverseDecoder } from './decode-response.ts'
import { decodeWhole } from './decode-whole.ts'
import { encodeRequest } from './encode-request.ts'

/** Amazon Bedrock's Converse and ConverseStream, as an upstream; no client speaks it. */
export const converseUpstream: UpstreamCodec = {
  protocol: 'bedrock-converse',
  encodeRequest,
  openDecoder: () => new ConverseDecoder(),
  decodeWhole,
}
