import type { Page } from '#accounts/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { findRequest, listRequests, type RequestFilter } from '#store/reads.ts'
import type { Store } from '#store/store.ts'

/** What the log routes read. With an account only its rows exist, because response ids are an upstream's and may repeat. */
export interface RequestReads {
  /** By request id, or by the `id` in the response body. */
  find(id: string, accountId?: string): Promise<RequestRow | undefined>
  /** Newest first; `cursor` continues behind the last row of the page before. */
  list(query: { filter: RequestFilter; limit: number; cursor?: string | undefined }): Promise<Page<RequestRow>>
}

export function createRequestReads(store: Store): RequestReads {
  return {
    async find(id, accountId) {
      return (
        (await findRequest(store, { requestId: id }, accountId)) ?? findRequest(store, { responseId: id }, accountId)
      )
    },
    list: (query) => listRequests(store, query),
  }
}
