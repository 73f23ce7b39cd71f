import type { Page } from '#accounts/types.ts'
import type { RequestFinder, RequestLog, RequestRow } from '#observe/request-row.ts'
import { findKeyNames, findRequest, listRequests, type RequestFilter } from '#store/reads.ts'
import type { Store } from '#store/store.ts'

/** What the log routes read. With an account only its rows exist, because response ids are an upstream's and may repeat. */
export interface RequestReads extends RequestFinder {
  /** Newest first; `cursor` continues behind the last row of the page before. */
  list(query: { filter: RequestFilter; limit: number; cursor?: string | undefined }): Promise<Page<RequestRow>>
  /** Names of keys by their ids, of removed ones too. */
  keyNames(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
}

/**
 * Reads over a store. Rows of requests without money are written behind the response; with `log` a reader still finds them
 * right after the last byte, because what waits is written first (openrouter-api.md section 6).
 */
export function createRequestReads(store: Store, log?: Pick<RequestLog, 'flush'>): RequestReads {
  const find = async (id: string, accountId?: string): Promise<RequestRow | undefined> =>
    (await findRequest(store, { requestId: id }, accountId)) ?? findRequest(store, { responseId: id }, accountId)
  return {
    async find(id, accountId) {
      const found = await find(id, accountId)
      if (found || !log) return found
      await log.flush()
      return find(id, accountId)
    },
    async list(query) {
      await log?.flush()
      return listRequests(store, query)
    },
    keyNames: (ids) => findKeyNames(store, ids),
  }
}
