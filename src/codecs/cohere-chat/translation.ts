import type { UpstreamCodec } from '#codecs/translation.ts'
import { CohereDecoder, decodeWhole } from './decode-response.ts'
import { encodeRequest } from './encode-request.ts'

/** Cohere's own chat API, `POST /v2/chat`, as an upstream; no client speaks it. */
export const cohereUpstream: UpstreamCodec = {
  protocol: 'cohere-chat',
  encodeRequest,
  openDecoder: () => new CohereDecoder(),
  decodeWhole,
}
