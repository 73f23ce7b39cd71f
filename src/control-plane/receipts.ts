import { z } from 'zod'
import type { Answer, Call, MasterActor } from './call.ts'
import { RANGE_QUERY, rangeOf } from './usage.ts'
import { validate } from './validate.ts'

const CHECK_QUERY = z.object(RANGE_QUERY)

/** `GET /api/admin/receipts/verify`: recomputes each request of a range and compares it with the ledger (B6). */
export async function verifyReceipts(call: Call<MasterActor>): Promise<Answer> {
  const range = rangeOf(call, validate(CHECK_QUERY, call.query))
  const { checked, recomputed, problems, problemCount } = await call.deps.receipts.check(range)
  return {
    body: {
      from: new Date(range.fromMs).toISOString(),
      to: new Date(range.toMs).toISOString(),
      checked,
      recomputed,
      differences: problemCount,
      problems: problems.map(({ requestId, problem }) => ({ request_id: requestId, problem })),
    },
  }
}
