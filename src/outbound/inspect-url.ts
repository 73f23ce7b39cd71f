import { isIP } from 'node:net'
import { type AddressRules, parseNetwork } from '#base/addresses.ts'

/** What the text of an address tells before anybody looks up its name. */
export type Inspection = { readonly url: URL } | { readonly refusal: string }

export const URL_CHARACTERS_MAX = 8192

/** Ports below this one belong to other protocols, but for the two of the web. */
const FREE_PORT_MIN = 1024
const WEB_PORTS = new Set(['', '80', '443'])

/**
 * Characters in an authority that parsers disagree on: what one reads as the path, another reads as the host. Upstreams
 * that load the address themselves may have any parser.
 */
const AMBIGUOUS = /[\\\p{Z}]/u
const CONTROL = /\p{Cc}/u

/** The authority of an address that says its two slashes. */
const AUTHORITY = /^https?:\/\/([^/?#]+)/i

/**
 * Reads an address that a client gave (R122): http or https, without credentials, whose host is not plainly a private one.
 * What a name stands for is only known when it is connected to. Pure.
 */
export function inspectUrl(text: string, rules: AddressRules): Inspection {
  if (text.length > URL_CHARACTERS_MAX) return { refusal: `an address has at most ${URL_CHARACTERS_MAX} characters` }
  const authority = AUTHORITY.exec(text)?.[1]
  if (authority === undefined || AMBIGUOUS.test(authority) || CONTROL.test(text) || !URL.canParse(text))
    return { refusal: 'it is not a valid http or https address' }
  if (authority.includes('@')) return { refusal: 'an address must not have credentials' }
  const url = new URL(text)
  if (!WEB_PORTS.has(url.port) && Number(url.port) < FREE_PORT_MIN) return { refusal: 'its port is not allowed' }
  return permitsHost(url.hostname, rules) ? { url } : { refusal: 'its host is not allowed' }
}

/** The parser has brought every spelling of an IPv4 address (decimal, octal, hexadecimal, short) into the usual one. */
function permitsHost(hostname: string, rules: AddressRules): boolean {
  const host = hostOf(hostname)
  if (isIP(host) !== 0) return rules.permits(host)
  if (isLocalhost(host)) return LOOPBACK.some(({ address }) => rules.permits(address))
  // Who opens private networks may have names there.
  return rules.opensPrivate || !PRIVATE_NAME.test(host)
}

/** Without the brackets of an IPv6 address and without the dot of a rooted name. */
export function hostOf(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname.replace(/\.+$/, '')
}

/** RFC 6761: never asked of a name server. */
export const isLocalhost = (host: string): boolean => /(?:^|\.)localhost$/.test(host)

export const LOOPBACK = ['127.0.0.1', '::1'].map((text) => {
  const { address, family } = parseNetwork(text)!
  return { address, family: family === 'ipv4' ? 4 : 6 }
})

/** Names without a dot, and under the domains that exist in private networks alone (RFC 6762, 8375, 9476, ICANN). */
const PRIVATE_NAME = /^[^.]*$|\.(?:local|localdomain|internal|intranet|private|corp|home|lan|home\.arpa|alt|onion)$/
