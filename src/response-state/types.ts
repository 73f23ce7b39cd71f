/** A response as the data plane hands it over when its answer is complete. */
export interface NewResponse {
  /** `resp_…`, ours; see RESPONSE_ID. */
  readonly id: string
  readonly accountId: string
  readonly createdAtMs: number
  /** The response it continues: one that `load` gave to the same account. */
  readonly previousId: string | null
  /** The public model id. */
  readonly model: string
  readonly backendId: string | null
  /** `input` of the request as it stood: a text, or the items of this turn alone. */
  readonly input: string | readonly unknown[]
  /** The response object as JSON text. Its `output` is what a later turn replays. */
  readonly response: string
}

/** What became of a response: `busy` means that too many bytes wait for the store. Only a stored one can be continued. */
export type Saved = 'stored' | 'too_large' | 'busy'

/** A response as its client reads it again. */
export interface StoredAnswer {
  readonly id: string
  readonly accountId: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly previousId: string | null
  readonly model: string
  readonly backendId: string | null
  /** The response object, the very text that was saved. */
  readonly response: string
}

/** A response as a later turn continues it. Numbers that JavaScript would round are raw JSON, as in `parseFaithfulJson`. */
export interface StoredResponse extends StoredAnswer {
  /** The items of this turn. */
  readonly input: readonly unknown[]
  /** The whole conversation, oldest first: input and output items of every turn, this one's output at the end. */
  readonly transcript: readonly unknown[]
}

/**
 * The server-side state of the Responses API for upstreams that keep none (R3). An id of another account is as unknown as
 * one that never was (attack S6). Every method rejects with `store_unavailable` during an outage.
 */
export interface ResponseState {
  /** Resolves when the response is durable, or was not stored. Saving an id twice keeps the first. */
  save(record: NewResponse): Promise<Saved>
  /**
   * For `previous_response_id`. Null when the response or one that it builds on is unknown, deleted or expired. Throws
   * GatewayError('context_length_exceeded') when the conversation is longer than its bounds.
   */
  load(accountId: string, id: string): Promise<StoredResponse | null>
  /** The response alone. */
  find(accountId: string, id: string): Promise<StoredAnswer | null>
  /**
   * What the model was given for it: the earlier turns that still exist, then its own input, oldest first. Every item has
   * an `id` of its own, the same at every call. Null and errors as for `load`, but an earlier turn may be missing.
   */
  listInput(accountId: string, id: string): Promise<readonly unknown[] | null>
  /**
   * For `item_reference`: the output items with these ids, of responses that live; the others are left out. Throws
   * GatewayError('context_length_exceeded') when they are spread over more than a conversation may be long.
   */
  findItems(accountId: string, ids: readonly string[]): Promise<ReadonlyMap<string, unknown>>
  /** False when there was none. What was built on it can no longer be continued. */
  remove(accountId: string, id: string): Promise<boolean>
  /** Deletes what has expired, except what a later response still builds on. Gives how many went. */
  sweep(nowMs: number): Promise<number>
}
