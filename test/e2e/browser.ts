import type { Json } from './gateway.ts'

/** A browser as far as signing in needs one: it keeps cookies and says where it comes from. */
export interface Browser {
  readonly cookies: Map<string, string>
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Page>
  /** `POST /api/auth/…`. */
  auth(path: string, body?: unknown): Promise<Page>
}

export interface Page {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Json
}

export function browserAt(root: string): Browser {
  const cookies = new Map<string, string>()
  const ask: Browser['ask'] = async (method, path, body, headers = {}) => {
    const jar = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(new URL(path, root), {
      method,
      redirect: 'manual',
      headers: {
        origin: root,
        ...(jar && { cookie: jar }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    for (const line of response.headers.getSetCookie()) keep(cookies, line)
    const text = await response.text()
    const isJson = (response.headers.get('content-type') ?? '').includes('json') && text !== ''
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
  }
  return { cookies, ask, auth: (path, body = {}) => ask('POST', `/api/auth${path}`, body) }
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair, ...attributes] = line.split(';')
  const at = pair!.indexOf('=')
  const name = pair!.slice(0, at)
  if (attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute))) cookies.delete(name)
  else cookies.set(name, pair!.slice(at + 1))
}

export const PASSWORD = 'correct horse battery'

/** What signs up and signs in. */
export const person = (email: string): { name: string; email: string; password: string } => ({
  name: email.split('@')[0]!,
  email,
  password: PASSWORD,
})
