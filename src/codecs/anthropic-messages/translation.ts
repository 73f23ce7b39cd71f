import type { ClientCodec, UpstreamCodec } from '#codecs/translation.ts'
import { decodeRequest } from './decode-request.ts'
import { decodeWhole, MessagesStreamDecoder } from './decode-response.ts'
import { encodeRequest } from './encode-request.ts'
import { MessagesStreamEncoder } from './encode-response.ts'
import { encodeWhole } from './encode-whole.ts'
import { PROTOCOL } from './members.ts'
import { answerToolIds } from './tool-ids.ts'

/** Clients of `POST /v1/messages`. */
export const messagesClient: ClientCodec = {
  protocol: PROTOCOL,
  decodeRequest,
  answerId: (id) => `msg_${id}`,
  openCallIds: answerToolIds,
  openEncoder: (context) => new MessagesStreamEncoder(context),
  encodeWhole,
}

/** Upstreams that speak the Messages API. */
export const messagesUpstream: UpstreamCodec = {
  protocol: PROTOCOL,
  encodeRequest,
  openDecoder: () => new MessagesStreamDecoder(),
  decodeWhole,
}
