import type { RequestRow, Warning } from '#observe/request-row.ts'

/**
 * Rows of the first version keep their warnings as the texts of the header, `param=a.b;action=drop;reason=...`, and `more=3`
 * for what did not fit. They read as values; what cannot be read is told as it stands.
 */
export function readWarnings(kept: unknown): Partial<Pick<RequestRow, 'warnings' | 'warnings_more'>> {
  if (!Array.isArray(kept) || !kept.some((each) => typeof each === 'string')) return {}
  let more = 0
  const warnings: Warning[] = []
  for (const each of kept as readonly (string | Warning)[]) {
    if (typeof each !== 'string') warnings.push(each)
    else if (MORE.test(each)) more += Number(each.slice(5))
    else warnings.push(warningOf(each))
  }
  return { warnings, warnings_more: more }
}

const MORE = /^more=\d{1,9}$/
const TEXT = /^param=([^;]*);action=([a-z]+);(?:to=(\d+);)?reason=(.*)$/

const ACTIONS: Readonly<Record<string, Warning['action']>> = {
  drop: 'dropped',
  rewrite: 'rewritten',
  emulate: 'emulated',
  narrow: 'narrowed',
  lowered: 'narrowed',
  notice: 'noticed',
}

function warningOf(text: string): Warning {
  const [, param = '', action = '', to, reason = text] = TEXT.exec(text) ?? []
  return {
    path: param === '' ? '' : `/${param.replaceAll('.', '/')}`,
    action: Object.hasOwn(ACTIONS, action) ? ACTIONS[action]! : 'rewritten',
    reason: to === undefined ? reason : `lowered to ${to} by the ${reason}`,
    target: null,
  }
}
