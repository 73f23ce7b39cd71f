import type { IncomingHttpHeaders } from 'node:http'
import { readVersion } from '#base/version.ts'
import type { Backend, Identity, IdentityHeader } from '#catalog/types.ts'

/** What a header may hold of a client's own words; longer ones are as good as none. */
const CHARACTERS_MAX = 300
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/

/** Without configuration the client's own names pass, and a request without a User-Agent gets ours (R113). */
export const CLIENT_IDENTITY: Identity = {
  userAgent: { from: ['user-agent'], value: `Trivium/${readVersion()}` },
  referer: { from: ['http-referer'], value: null },
  title: { from: ['x-openrouter-title', 'x-title'], value: null },
}

/** What one backend is told, with the headers that its own configuration sets taken out. */
interface Told {
  readonly fields: readonly { readonly names: readonly string[]; readonly header: IdentityHeader }[]
}

const known = new WeakMap<Backend, Told>()

/** Adds the headers that say which application calls (R113, R103): flat name, value pairs. */
export function pushIdentity(headers: string[], backend: Backend, client: IncomingHttpHeaders): void {
  let told = known.get(backend)
  if (!told) known.set(backend, (told = toldOf(backend)))
  for (const { names, header } of told.fields) {
    const value = valueOf(header, client)
    if (value !== null) for (const name of names) headers.push(name, value)
  }
}

function toldOf(backend: Backend): Told {
  const { userAgent, referer, title } = backend.identity ?? CLIENT_IDENTITY
  const set = new Set(Object.keys(backend.headers).map((name) => name.toLowerCase()))
  // OpenRouter renamed its header and still reads the old one (C28).
  const titles = backend.type === 'openrouter' ? ['x-title', 'x-openrouter-title'] : ['x-title']
  const fields = [
    { names: ['user-agent'], header: userAgent },
    { names: ['http-referer'], header: referer },
    { names: titles, header: title },
  ]
  return {
    fields: fields
      .map(({ names, header }) => ({ names: names.filter((name) => !set.has(name)), header }))
      .filter(({ names }) => names.length > 0),
  }
}

function valueOf({ from, value }: IdentityHeader, client: IncomingHttpHeaders): string | null {
  for (const name of from) {
    const text = client[name]
    if (typeof text === 'string' && text.length <= CHARACTERS_MAX && HEADER_VALUE.test(text)) return text
  }
  return value
}
