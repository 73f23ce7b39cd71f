import type { Protocol } from '#base/protocols.ts'
import { HELD_FILE, VIDEO_HOSTS } from './gemini/media-types.ts'
import type { MediaUrls } from './translation.ts'

const WEB = /^https?:/i
const SECURE_WEB = /^https:/i
const S3 = /^s3:/
/** Data only. */
const NOTHING = /(?!)/
const GOOGLES_OWN = new RegExp(`${HELD_FILE.source}|${VIDEO_HOSTS.source}`, 'i')
/** Google wants to be told the type of what it loads: only where the address tells it is there nothing to look at first. */
const GOOGLES_OWN_OR_TYPED = new RegExp(
  `${GOOGLES_OWN.source}|^https:\\/\\/[^/?#]+\\/[^?#]*\\.(?:png|jpe?g|webp|bmp|pdf)(?:[?#]|$)`,
  'i',
)

const NO_MEDIA: MediaUrls = { image: null, document: null, audio: null, video: null }

/** By protocol: what most hosts load. */
const DEFAULTS: Readonly<Record<Protocol, MediaUrls>> = {
  'openai-chat': { image: WEB, document: NOTHING, audio: NOTHING, video: WEB },
  'openai-responses': { image: WEB, document: WEB, audio: NOTHING, video: null },
  'openai-embeddings': NO_MEDIA,
  'anthropic-messages': { image: SECURE_WEB, document: SECURE_WEB, audio: null, video: null },
  gemini: { image: GOOGLES_OWN, document: GOOGLES_OWN, audio: GOOGLES_OWN, video: GOOGLES_OWN },
  'bedrock-converse': { image: S3, document: S3, audio: null, video: S3 },
  'cohere-chat': { image: WEB, document: null, audio: null, video: null },
}

interface Rule {
  readonly protocol: Protocol
  readonly backends: ReadonlySet<string>
  /** Matched against the upstream's name of the model without its vendor prefix. */
  readonly model?: RegExp
  readonly urls: Partial<MediaUrls>
}

/** What some backends do otherwise; every rule that matches adds to the defaults. Sources: the providers' API references. */
const RULES: readonly Rule[] = [
  { protocol: 'openai-chat', backends: new Set(['openrouter']), urls: { document: WEB } },
  // These take images in base64 alone.
  {
    protocol: 'openai-chat',
    backends: new Set(['ollama', 'lmstudio', 'moonshot']),
    urls: { image: NOTHING, video: NOTHING },
  },
  // Google's own API loads from the web since January 2026, but not for older families.
  {
    protocol: 'gemini',
    backends: new Set(['gemini']),
    model: /^(?!gemini-(?:1|2\.0))/,
    urls: { image: GOOGLES_OWN_OR_TYPED, document: GOOGLES_OWN_OR_TYPED },
  },
]

/** `model`: the upstream's name of it, in lower case and without its vendor prefix. */
export function mediaUrlsOf(protocol: Protocol, backendType: string, model: string): MediaUrls {
  let found = DEFAULTS[protocol]
  for (const { urls, ...rule } of RULES) {
    const isOf = rule.protocol === protocol && rule.backends.has(backendType) && (rule.model?.test(model) ?? true)
    if (isOf) found = { ...found, ...urls }
  }
  return found
}
