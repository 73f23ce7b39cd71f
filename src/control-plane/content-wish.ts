import { z } from 'zod'
import { CONTENT_DAYS_DEFAULT, CONTENT_DAYS_MAX, CONTENT_MODES } from '#accounts/key-record.ts'
import type { ContentWish } from '#accounts/types.ts'

/** Whether what a key asks and is answered is kept (R101); null: what its account says. */
export const CONTENT_WISH = z
  .strictObject({
    mode: z.enum(CONTENT_MODES),
    retention_days: z
      .number({ error: 'expected a whole number' })
      .int('expected a whole number')
      .min(1, 'at least 1')
      .max(CONTENT_DAYS_MAX, `at most ${CONTENT_DAYS_MAX}`)
      .default(CONTENT_DAYS_DEFAULT),
  })
  .transform(({ mode, retention_days: retentionDays }): ContentWish => ({ mode, retentionDays }))
  .nullable()

export const contentWishObject = (wish: ContentWish | null): Record<string, unknown> | null =>
  wish && { mode: wish.mode, retention_days: wish.retentionDays }
