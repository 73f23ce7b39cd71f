import type { IncomingHttpHeaders } from 'node:http'
import type { Protocol } from '#base/protocols.ts'

/**
 * Which of the client's own headers an upstream gets (R122: allow-lists). What changes the upstream's answer may pass; what
 * says who calls stays: keys, organisations, addresses. So do idempotency keys, because all accounts share one credential
 * there, and a key that two of them use would give one the answer of the other.
 */

/** From a client that speaks the target's protocol: as they came, byte for byte, whatever flags they hold. */
const SAME_PROTOCOL: Readonly<Partial<Record<Protocol, readonly string[]>>> = {
  'anthropic-messages': ['anthropic-version', 'anthropic-beta'],
  'openai-chat': ['openai-beta'],
  'openai-responses': ['openai-beta'],
}

/** Where a client of another protocol may name beta flags of Anthropic's; the second is OpenRouter's name. */
const BETA_HEADERS = ['anthropic-beta', 'x-anthropic-beta']

/**
 * Flags that mean something to a translated request, because they change the model and not the shape of bodies. None is
 * needed by what our own encoder writes: effort, structured outputs, strict tools, one-hour caches and system turns are
 * answered without one (recorded traffic, 2026).
 */
const TRANSLATED_BETAS: ReadonlySet<string> = new Set([
  'context-1m-2025-08-07',
  'interleaved-thinking-2025-05-14',
  'output-128k-2025-02-19',
])

/**
 * Flags that a kind of backend knows, where it refuses the whole request for any other (`invalid beta flag`). Source: AWS,
 * "Anthropic Claude Messages API", `anthropic_beta`.
 */
const KNOWN_BETAS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'bedrock',
    new Set([
      'computer-use-2024-10-22',
      'computer-use-2025-01-24',
      'computer-use-2025-11-24',
      'token-efficient-tools-2025-02-19',
      'interleaved-thinking-2025-05-14',
      'output-128k-2025-02-19',
      'dev-full-thinking-2025-05-14',
      'context-1m-2025-08-07',
      'context-management-2025-06-27',
      'effort-2025-11-24',
      'tool-search-tool-2025-10-19',
      'tool-examples-2025-10-29',
    ]),
  ],
])

const BETA = 'anthropic-beta'

/** As flat name, value pairs. `isTranslated`: the client speaks another protocol. */
export function forwardedHeaders(
  protocol: Protocol,
  backendType: string,
  isTranslated: boolean,
  client: IncomingHttpHeaders,
): string[] {
  if (isTranslated) return protocol === 'anthropic-messages' ? translatedBetas(backendType, client) : []
  const headers: string[] = []
  for (const name of SAME_PROTOCOL[protocol] ?? []) {
    const value = textOf(client[name])
    if (value === undefined) continue
    const known = name === BETA ? KNOWN_BETAS.get(backendType) : undefined
    const kept = known ? joined(flagsOf(value).filter((flag) => known.has(flag))) : value
    if (kept !== undefined) headers.push(name, kept)
  }
  return headers
}

/** The beta flags of Anthropic's that this kind of backend gets, separated by commas; empty when there are none. */
export function betasFor(backendType: string, isTranslated: boolean, client: IncomingHttpHeaders): string {
  const headers = forwardedHeaders('anthropic-messages', backendType, isTranslated, client)
  const at = headers.indexOf(BETA)
  return at < 0 ? '' : headers[at + 1]!
}

function translatedBetas(backendType: string, client: IncomingHttpHeaders): string[] {
  const known = KNOWN_BETAS.get(backendType)
  const flags = BETA_HEADERS.flatMap((name) => flagsOf(textOf(client[name]) ?? ''))
  const kept = joined([...new Set(flags)].filter((flag) => TRANSLATED_BETAS.has(flag) && (known?.has(flag) ?? true)))
  return kept === undefined ? [] : [BETA, kept]
}

/** Node joins the lines of a header that occurs more than once; only a few of its own it keeps as a list. */
function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value
}

const flagsOf = (value: string): string[] =>
  value
    .split(',')
    .map((flag) => flag.trim())
    .filter((flag) => flag !== '')

const joined = (flags: readonly string[]): string | undefined => (flags.length === 0 ? undefined : flags.join(','))
