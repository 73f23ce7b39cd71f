import { GatewayError } from '#base/errors.ts'
import type { ContentWish, KeyRecord } from './types.ts'

export const APP_CHARACTERS_MAX = 100
/** Content is kept a day at least, so that it can be looked at, and no longer than a year. */
export const CONTENT_DAYS_MAX = 365
export const CONTENT_DAYS_DEFAULT = 7
export const CONTENT_MODES = ['none', 'metadata', 'full'] as const

/** As it is stored; what records nothing unusual is stored as none. Throws 400 invalid_parameter. */
export function recordText(record: KeyRecord | null): string | null {
  const app = record?.app?.trim() || null
  const content = record?.content ?? null
  if (app === null && content === null) return null
  if (app !== null && app.length > APP_CHARACTERS_MAX) {
    throw new GatewayError('invalid_parameter', `The name of an app has at most ${APP_CHARACTERS_MAX} characters.`, {
      param: 'app',
    })
  }
  return JSON.stringify({ app, content: content && checkContent(content) } satisfies KeyRecord)
}

export const recordOf = (text: string | null): KeyRecord | null =>
  text === null ? null : (JSON.parse(text) as KeyRecord)

/** As it is stored for an account; null: nothing was said. Throws 400 invalid_parameter. */
export const contentText = (wish: ContentWish | null): string | null =>
  wish === null ? null : JSON.stringify(checkContent(wish))

export const contentOf = (text: string | null): ContentWish | null =>
  text === null ? null : (JSON.parse(text) as ContentWish)

/** What holds for a key: its own wish, else that of its account. Null: nothing is kept. */
export function effectiveContent(own: ContentWish | null, account: ContentWish | null): ContentWish | null {
  const wish = own ?? account
  return wish === null || wish.mode === 'none' ? null : wish
}

function checkContent({ mode, retentionDays }: ContentWish): ContentWish {
  const isKnown = CONTENT_MODES.includes(mode)
  if (isKnown && Number.isSafeInteger(retentionDays) && retentionDays >= 1 && retentionDays <= CONTENT_DAYS_MAX) {
    return { mode, retentionDays }
  }
  const message = `content_log is one of ${CONTENT_MODES.join(', ')}, kept for 1 to ${CONTENT_DAYS_MAX} days.`
  throw new GatewayError('invalid_parameter', message, { param: 'content_log' })
}
