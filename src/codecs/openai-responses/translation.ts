import type { ClientCodec, UpstreamCodec } from '#codecs/translation.ts'
import { decodeWhole, ResponsesDecoder } from './decode-response.ts'
import { decodeRequest } from './decode-request.ts'
import { encodeRequest } from './encode-request.ts'
import { encodeWhole, ResponsesEncoder } from './encode-response.ts'
import { answerCallIds } from './item-ids.ts'
import { PROTOCOL } from './members.ts'

/** `POST /v1/responses` towards clients. Source: OpenAI API reference; types of the official SDK. */
export const responsesClient: ClientCodec = {
  protocol: PROTOCOL,
  decodeRequest,
  answerId: (id) => `resp_${id}`,
  openCallIds: answerCallIds,
  openEncoder: (context) => new ResponsesEncoder(context),
  encodeWhole,
}

/** `POST /v1/responses` towards upstreams. */
export const responsesUpstream: UpstreamCodec = {
  protocol: PROTOCOL,
  encodeRequest,
  openDecoder: () => new ResponsesDecoder(),
  decodeWhole,
}
