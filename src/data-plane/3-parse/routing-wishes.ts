import { GatewayError } from '#base/errors.ts'
import { CONTEXT_MEMBER, ROUTING_MEMBERS } from '#base/routing-members.ts'
import { ObjectScan, type Span } from '#wire/json-scan.ts'

/** What a request says about where it may go, in OpenRouter's form or in Anthropic's (R68, openrouter-api.md). */
export interface RoutingWishes {
  /** Other models, in order, besides the one in `model`. */
  readonly models: readonly string[]
  /** OpenRouter's provider preferences, as written. */
  readonly provider: Readonly<Record<string, unknown>> | null
  /** Tokens of the prompt, where the client knows better than an estimate (R73). */
  readonly contextTokens: number | null
  /** The conversation that a prompt cache belongs to (B5), as `session_id` names it. */
  readonly session: string | null
  /** The same as `prompt_cache_key` names it. */
  readonly cacheKey?: string | null
  /** OpenRouter's plugins that are to run, without those that may be left out; absent: none. */
  readonly plugins?: readonly string[]
  /** Whether a prompt that is too long is to be shortened; absent or null: not said. */
  readonly compresses?: boolean | null
  /** Members of OpenRouter that say nothing else than that. */
  readonly compressing?: readonly string[]
  /** Members that the gateway has heard and an upstream would refuse; of the whole body. */
  readonly spans: readonly Span[]
}

/** More alternatives than this are a mistake. */
export const ALTERNATIVES_MAX = 16
const MODEL_CHARACTERS_MAX = 512
const SESSION_CHARACTERS_MAX = 256

const WISH_SCAN = new ObjectScan(ROUTING_MEMBERS)
const [MODELS, FALLBACKS, PROVIDER, SESSION, CACHE_KEY, EXTRA, CONTEXT, PLUGINS, TRANSFORMS, ROUTE] =
  ROUTING_MEMBERS.keys()

/**
 * Reads the members of a body that are about routing; null when there are none. Throws GatewayError 400 for what is written
 * wrongly. The body is known to be JSON. Called where the codec found such a member.
 */
export function readWishes(body: Buffer, jsonDepthMax: number): RoutingWishes | null {
  const scan = WISH_SCAN
  if (!scan.scan(body, 0, body.length, jsonDepthMax)) return null
  const read = (index: number): unknown =>
    scan.has(index) ? JSON.parse(body.toString('utf8', scan.start[index], scan.end[index])) : undefined
  const models = [...modelsOf('models', read(MODELS!)), ...modelsOf('fallbacks', read(FALLBACKS!))]
  const provider = objectOf('provider', read(PROVIDER!))
  const session = sessionOf(read(SESSION!))
  const cacheKey = textOf(read(CACHE_KEY!))
  const told = { plugins: read(PLUGINS!), transforms: read(TRANSFORMS!) }
  const plugins = pluginsOf(told.plugins)
  // SDKs lay the members of `extra_body` beside the others.
  const extra = read(EXTRA!) as Readonly<Record<string, unknown>> | null | undefined
  const contextTokens = tokensOf(read(CONTEXT!) ?? extra?.[CONTEXT_MEMBER])
  const members = [MODELS!, FALLBACKS!, PROVIDER!, SESSION!, CONTEXT!, PLUGINS!, TRANSFORMS!, ROUTE!]
  const heard = members.filter((index) => scan.has(index))
  if (contextTokens !== null && !scan.has(CONTEXT!)) heard.push(EXTRA!)
  const spans = heard.map((index) => ({ start: scan.start[index]!, end: scan.end[index]! }))
  return { models, provider, contextTokens, session, cacheKey, plugins, ...compressionIn(told), spans }
}

/** Names, or objects with a `model`. */
function modelsOf(name: string, value: unknown): readonly string[] {
  if (value === undefined || value === null) return []
  const isList = Array.isArray(value) && value.length <= ALTERNATIVES_MAX
  const models = isList
    ? value.map((each) => (typeof each === 'string' ? each : (each as { model?: unknown })?.model))
    : []
  const isValid = (model: unknown): model is string =>
    typeof model === 'string' && model !== '' && model.length <= MODEL_CHARACTERS_MAX
  if (!isList || !models.every(isValid)) {
    const message = `"${name}" must be a list of at most ${ALTERNATIVES_MAX} models.`
    throw new GatewayError('invalid_parameter', message, { param: name })
  }
  return models
}

/** Shortens a prompt that is too long. */
const OPTIONAL_PLUGIN = 'context-compression'
/** Its older name, as a transform. */
const MIDDLE_OUT = 'middle-out'

/** What plugins and transforms say of compression, and which of the two say nothing else. */
function compressionIn(told: {
  readonly plugins: unknown
  readonly transforms: unknown
}): Pick<RoutingWishes, 'compresses' | 'compressing'> {
  const plugins = Array.isArray(told.plugins)
    ? (told.plugins as readonly (Readonly<Record<string, unknown>> | null)[])
    : []
  const transforms = Array.isArray(told.transforms) ? (told.transforms as readonly unknown[]) : null
  const plugin = plugins.find((each) => each?.['id'] === OPTIONAL_PLUGIN)
  if (!plugin && !transforms) return {}
  const isOnly = plugins.every((each) => each?.['id'] === OPTIONAL_PLUGIN || each?.['enabled'] === false)
  return {
    compresses: plugin ? plugin['enabled'] !== false : transforms!.includes(MIDDLE_OUT),
    compressing: [
      ...(plugin && isOnly ? ['plugins'] : []),
      ...(transforms?.every((each) => each === MIDDLE_OUT) ? ['transforms'] : []),
    ],
  }
}

/** Ids of the plugins that the answer depends on. What has another form is left to whoever reads it. */
function pluginsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((each: { id?: unknown; enabled?: unknown } | null) =>
    typeof each?.id === 'string' && each.enabled !== false && each.id !== OPTIONAL_PLUGIN ? [each.id.slice(0, 64)] : [],
  )
}

function objectOf(name: string, value: unknown): Readonly<Record<string, unknown>> | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object' || Array.isArray(value))
    throw new GatewayError('invalid_parameter', `"${name}" must be an object.`, { param: name })
  return value as Readonly<Record<string, unknown>>
}

/** A name that was cut could be that of another session, with another budget (B14). */
function sessionOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null
  if (value.length <= SESSION_CHARACTERS_MAX) return value
  const message = `"session_id" has at most ${SESSION_CHARACTERS_MAX} characters.`
  throw new GatewayError('invalid_parameter', message, { param: 'session_id' })
}

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value.slice(0, SESSION_CHARACTERS_MAX) : null

function tokensOf(tokens: unknown): number | null {
  if (tokens === undefined || tokens === null) return null
  if (Number.isSafeInteger(tokens) && (tokens as number) >= 0) return tokens as number
  throw new GatewayError('invalid_parameter', `"${CONTEXT_MEMBER}" must be a whole number from 0.`, {
    param: CONTEXT_MEMBER,
  })
}
