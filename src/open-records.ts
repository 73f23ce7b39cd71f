import type { Logger } from 'pino'
import { createAnalytics } from '#analytics/analytics.ts'
import { createRollups } from '#analytics/rollups.ts'
import type { Settings } from '#config/types.ts'
import { createRequestReads } from '#control-plane/request-reads.ts'
import { SealStash } from '#data-plane/7-call/seal-stash.ts'
import { type Capture, createCapture } from '#observe/capture.ts'
import { CONTENT_BYTES_MAX, type ContentLog, createContentLog } from '#observe/content-log.ts'
import { createRequestLog, SILENT_REQUEST_LOG } from '#observe/request-log.ts'
import type { RequestLog } from '#observe/request-row.ts'
import { createResponseState } from '#response-state/response-state.ts'
import { createSealState } from '#seal-state/seal-state.ts'
import type { Store } from '#store/store.ts'

/** What is written down and kept, as the settings say: part of the composition root. */

/** What is kept of conversations. */
export function openKept(
  store: Store,
  pepper: string,
  settings: () => Settings,
  log: Logger,
  options: { readonly now?: () => number },
) {
  const seals = createSealState(store, pepper, {
    onLoss: (what, count) => log.warn({ what, count }, 'seals of tool calls were lost'),
  })
  const sealStash = new SealStash({
    archive: seals,
    mode: () => settings().stashSeals,
    onFailure: (err) => log.error({ err }, 'seals of tool calls could not be read'),
  })
  const contents = openContents(store, pepper, options, log)
  const flushKept = async (): Promise<void> => {
    await seals.flush()
    await contents.flush()
  }
  return { responses: createResponseState(store), seals, contents, sealStash, flushKept }
}

/** What was asked and answered, of keys that want it kept. */
function openContents(store: Store, pepper: string, { now }: { readonly now?: () => number }, log: Logger): ContentLog {
  const onLoss = (count: number): void => log.warn({ count }, 'contents of requests were not kept')
  return createContentLog(store, pepper, { onLoss, ...(now && { now }) })
}

/** Where the data plane brings what is to be kept; nowhere without accounting. */
export const takerOf = ({ accounting }: Settings, { keep }: ContentLog) =>
  accounting ? { keep, bytesMax: CONTENT_BYTES_MAX } : undefined

/** What is written down of each request, and what reads it. */
export function openRecords(store: Store, { accounting, captureFile }: Settings, log: Logger) {
  const onDrop = (count: number): void => log.error({ count }, 'log rows were dropped')
  const onFault = (err: Error): void => log.error({ err }, 'the capture file cannot be written')
  const requestLog: RequestLog = accounting ? createRequestLog(store, { onDrop }) : SILENT_REQUEST_LOG
  const rollups = accounting ? createRollups(store, { log: requestLog }) : null
  const capture: Capture | undefined = captureFile === null ? undefined : createCapture(captureFile, { onFault })
  const analytics = rollups && createAnalytics(store, rollups)
  return { requestLog, capture, rollups, requests: createRequestReads(store, requestLog), analytics }
}
