import { hash } from 'node:crypto'

/** How a stored token begins; no cookie may carry one (see `isDigest`). */
const MARK = 'sha256:'

/** What is stored of a session's token, so that a stolen dump opens no session. Idempotent: better-auth hands stored rows back. */
export const tokenDigest = (token: string): string =>
  isDigest(token) ? token : MARK + hash('sha256', token, 'base64url')

/** Whether a text is what is stored of a token. Whoever presents one has read the database. */
export const isDigest = (token: string): boolean => token.startsWith(MARK)

interface Where {
  readonly field: string
  readonly value: unknown
}
interface Query {
  readonly model: string
  readonly where?: readonly Where[]
  readonly data?: Record<string, unknown>
  readonly update?: Record<string, unknown>
}
type Method = (query: Query) => Promise<unknown>

const METHODS = [
  'findOne',
  'findMany',
  'update',
  'updateMany',
  'delete',
  'deleteMany',
  'count',
  'consumeOne',
  'incrementOne',
]

/** An adapter of better-auth that stores digests in place of session tokens, and hands out the token that it was given. */
export function hashingTokens<A extends object>(adapter: A): A {
  const inner = adapter as unknown as Record<string, Method> & {
    transaction?: (work: (adapter: A) => Promise<unknown>) => Promise<unknown>
  }
  const outer: Record<string, unknown> = { ...inner }
  outer['create'] = async (query: Query) => {
    const token = query.model === 'session' ? query.data?.['token'] : undefined
    if (typeof token !== 'string') return inner['create']!(query)
    const row = await inner['create']!({ ...query, data: { ...query.data, token: tokenDigest(token) } })
    return { ...(row as object), token }
  }
  for (const name of METHODS) {
    const method = inner[name]
    if (!method) continue
    outer[name] = async (query: Query) => {
      if (query.model !== 'session') return method(query)
      return restored(await method(digested(query)), tokensOf(query))
    }
  }
  const { transaction } = inner
  if (transaction) {
    outer['transaction'] = (work: (adapter: A) => Promise<unknown>) =>
      transaction((within) => work(hashingTokens(within)))
  }
  return outer as A
}

function digested(query: Query): Query {
  const { where, update } = query
  const token = update?.['token']
  return {
    ...query,
    ...(where && { where: where.map((one) => (one.field === 'token' ? { ...one, value: digestOf(one.value) } : one)) }),
    ...(typeof token === 'string' && { update: { ...update, token: tokenDigest(token) } }),
  }
}

/** The tokens that a query names, by their digests. */
function tokensOf({ where = [] }: Query): ReadonlyMap<string, string> {
  const named = where.filter(({ field }) => field === 'token').flatMap(({ value }) => value)
  return new Map(named.filter((value) => typeof value === 'string').map((token) => [tokenDigest(token), token]))
}

/** Rows as they were before their tokens became digests: better-auth writes its cookie from the row that it found. */
function restored(result: unknown, tokens: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(result)) return result.map((row) => restored(row, tokens))
  const token = (result as { token?: unknown } | null)?.token
  if (typeof token !== 'string') return result
  return { ...(result as object), token: tokens.get(token) ?? token }
}

function digestOf(value: unknown): unknown {
  if (typeof value === 'string') return tokenDigest(value)
  return Array.isArray(value) ? value.map(digestOf) : value
}
