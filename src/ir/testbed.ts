import type { ChatRequest } from './chat-request.ts'

/** For tests: a request that says nothing, from a client of no protocol. */
export const BLANK_REQUEST: ChatRequest = {
  instructions: [],
  turns: [],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  sampling: {},
  outputTokensMax: null,
  stopSequences: null,
  candidates: null,
  logprobs: null,
  format: null,
  reasoning: null,
  verbosity: null,
  serviceTier: null,
  endUser: null,
  metadata: null,
  promptCacheKey: null,
  stream: false,
  paths: {},
  ext: {},
}
