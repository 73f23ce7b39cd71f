import { GatewayError } from '#base/errors.ts'
import type { ResponseTable } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import { CHAIN_LENGTH_MAX, type Link, readChain, readTurns } from './chain.ts'
import { createPace, decodeItems, encodeItems, idOf, itemsOf, listedItem, outputOf } from './items.ts'
import type { NewResponse, ResponseState, StoredAnswer } from './types.ts'

/** How long a response can be read and continued, as at OpenAI. */
export const RETENTION_DAYS = 30
const DAY_MS = 86_400_000

/** Input and response object of one turn in UTF-8. A larger response is answered, but not stored. */
export const RESPONSE_BYTES_MAX = 8 * 1024 * 1024
/** A conversation that is replayed: as much as a client may send in one body. */
export const TRANSCRIPT_BYTES_MAX = 32 * 1024 * 1024
/** Bytes on their way to the store: memory must not follow a slow disk. */
export const SAVES_WAITING_BYTES_MAX = 32 * 1024 * 1024

/** An id that may be one of ours; nothing else is worth a query, and PostgreSQL takes no NUL. */
export const RESPONSE_ID = /^resp_[A-Za-z0-9_-]{1,80}$/

/** An item of an answer that the gateway wrote has the id of its response inside. */
const ITEM_ID = /^[a-z]+_([A-Za-z0-9]+)_\d+$/

/** Response state over a store. `now` is milliseconds since the epoch. */
export function createResponseState(
  store: Store,
  options: { now?: () => number; savesWaitingBytesMax?: number } = {},
): ResponseState {
  const { now = Date.now, savesWaitingBytesMax = SAVES_WAITING_BYTES_MAX } = options
  return { ...createReads(store, now), ...createWrites(store, savesWaitingBytesMax) }
}

function createReads(
  store: Store,
  now: () => number,
): Pick<ResponseState, 'find' | 'load' | 'listInput' | 'findItems'> {
  /** The response that was asked for must be alive; those it builds on live as long as it does. */
  const livingChain = async (accountId: string, id: string): Promise<readonly Link[]> => {
    const chain = RESPONSE_ID.test(id) ? await readChain(store, accountId, id) : []
    return chain[0] && chain[0].expiresAtMs > now() ? chain : []
  }

  const find = async (accountId: string, id: string): Promise<StoredAnswer | null> => {
    if (!RESPONSE_ID.test(id)) return null
    const row = await store.read
      .selectFrom('responses')
      .select(['account_id', 'id', 'created_ms', 'expires_ms', 'previous_id', 'model', 'backend_id', 'response'])
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .where('expires_ms', '>', now())
      .executeTakeFirst()
    return row ? answerOf(row) : null
  }

  return {
    find,
    async load(accountId, id) {
      const chain = await livingChain(accountId, id)
      if (chain.length === 0) return null
      checkBounds(chain)
      if (chain.at(-1)!.previousId !== null) return null
      const turns = await decodeTurns(store, accountId, chain)
      // Deleted while it was read.
      if (turns.length < chain.length) return null
      const { bytes: _, ...link } = chain[0]!
      const { input, response } = turns.at(-1)!
      const transcript = turns.flatMap((turn) => [...turn.input, ...turn.output])
      return { ...link, accountId, input, response, transcript }
    },
    async listInput(accountId, id) {
      const chain = await livingChain(accountId, id)
      if (chain.length === 0) return null
      // The response itself may be one more than can be continued.
      checkBounds(chain.slice(1))
      const turns = await decodeTurns(store, accountId, chain)
      if (turns.at(-1)?.id !== id) return null
      return turns.flatMap((turn) => {
        const items = turn.id === id ? turn.input : [...turn.input, ...turn.output]
        return items.map((item, at) => listedItem(item, turn.id, at))
      })
    },
    findItems: (accountId, ids) => findItems((id) => find(accountId, id), ids),
  }
}

function createWrites(store: Store, savesWaitingBytesMax: number): Pick<ResponseState, 'save' | 'remove' | 'sweep'> {
  let waitingBytes = 0
  return {
    async save(record) {
      const row = await rowOf(record)
      if (row === null) return 'too_large'
      if (waitingBytes + row.bytes > savesWaitingBytesMax) return 'busy'
      waitingBytes += row.bytes
      try {
        await store.execute('saveResponse', row)
        return 'stored'
      } finally {
        waitingBytes -= row.bytes
      }
    },
    async remove(accountId, id) {
      return RESPONSE_ID.test(id) && store.execute('removeResponse', { accountId, id })
    },
    async sweep(nowMs) {
      let removed = 0
      for (;;) {
        const count = await store.execute('sweepResponses', { nowMs })
        if (count === 0) return removed
        removed += count
      }
    },
  }
}

/** The row of a response; null when it is larger than RESPONSE_BYTES_MAX. */
async function rowOf(record: NewResponse): Promise<ResponseTable | null> {
  const { id, accountId, createdAtMs, previousId, model, backendId, response } = record
  if (!RESPONSE_ID.test(id)) throw new TypeError(`A response cannot be stored under the id ${id}.`)
  // A character is at least one byte, so that the longest texts are not even encoded.
  if (response.length > RESPONSE_BYTES_MAX) return null
  const input = await encodeItems(itemsOf(record.input), RESPONSE_BYTES_MAX - response.length)
  if (input === null) return null
  const bytes = Buffer.byteLength(input) + Buffer.byteLength(response)
  if (bytes > RESPONSE_BYTES_MAX) return null
  return {
    account_id: accountId,
    id,
    created_ms: createdAtMs,
    expires_ms: createdAtMs + RETENTION_DAYS * DAY_MS,
    previous_id: previousId,
    model,
    backend_id: backendId,
    bytes,
    input,
    response,
  }
}

/** Clients that meet this code make their conversation shorter. */
function checkBounds(chain: readonly Link[]): void {
  const bytes = chain.reduce((sum, link) => sum + link.bytes, 0)
  if (chain.length > CHAIN_LENGTH_MAX || bytes > TRANSCRIPT_BYTES_MAX) throw tooLong('previous_response_id')
}

const tooLong = (param: string): GatewayError =>
  new GatewayError(
    'context_length_exceeded',
    `The stored conversation behind ${param} is longer than ${CHAIN_LENGTH_MAX} responses or ${TRANSCRIPT_BYTES_MAX} ` +
      'bytes; send the items that still matter instead.',
    { param },
  )

/** One response after the other, so that no more of them are in memory than a conversation may have bytes. */
async function findItems(
  find: (id: string) => Promise<StoredAnswer | null>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, unknown>> {
  const wanted = new Set(ids)
  const responseIds = new Set(ids.flatMap((id) => ITEM_ID.exec(id)?.[1] ?? []))
  if (responseIds.size > CHAIN_LENGTH_MAX) throw tooLong('input')
  const pace = createPace()
  const found = new Map<string, unknown>()
  let length = 0
  for (const responseId of responseIds) {
    const { response = '' } = (await find(`resp_${responseId}`)) ?? {}
    if ((length += response.length) > TRANSCRIPT_BYTES_MAX) throw tooLong('input')
    for (const item of response === '' ? [] : outputOf(response)) {
      const id = idOf(item)
      if (id !== null && wanted.has(id)) found.set(id, item)
    }
    const pause = pace(response.length)
    if (pause) await pause
  }
  return found
}

interface DecodedTurn {
  readonly id: string
  readonly input: readonly unknown[]
  readonly output: readonly unknown[]
  readonly response: string
}

async function decodeTurns(store: Store, accountId: string, chain: readonly Link[]): Promise<DecodedTurn[]> {
  const pace = createPace()
  const turns: DecodedTurn[] = []
  for await (const { id, input, response } of readTurns(store, accountId, chain)) {
    turns.push({ id, input: await decodeItems(input, pace), output: outputOf(response), response })
    const pause = pace(response.length)
    if (pause) await pause
  }
  return turns
}

function answerOf(row: Omit<ResponseTable, 'bytes' | 'input'>): StoredAnswer {
  return {
    id: row.id,
    accountId: row.account_id,
    createdAtMs: row.created_ms,
    expiresAtMs: row.expires_ms,
    previousId: row.previous_id,
    model: row.model,
    backendId: row.backend_id,
    response: row.response,
  }
}
