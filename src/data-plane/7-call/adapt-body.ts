import { TAKES_ANYTHING } from '#data-plane/takes-anything.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { CONTEXT_MEMBER } from '#base/routing-members.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { UriParameters } from '#data-plane/4-resolve/uri-parameters.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { askToReason } from './ask-to-reason.ts'
import type { Asked } from './asked.ts'
import { childOf, type Fields, fieldsIn } from './fields.ts'
import { type Override, Overrides } from './overrides.ts'
import { LIMIT_MEMBERS, placeOf } from './parameter-places.ts'
import { traitsFor } from './translator.ts'

/** Members that the gateway has heard. */
export const HEARD_MEMBERS: readonly string[] = [
  'models',
  'fallbacks',
  'provider',
  'session_id',
  'route',
  CONTEXT_MEMBER,
]
/** Members that are left to OpenRouter, or to who may understand them; a vendor does not. */
const OPENROUTER_MEMBERS: readonly string[] = ['plugins', 'transforms']
const FOREIGN_MEMBERS = [...HEARD_MEMBERS, ...OPENROUTER_MEMBERS]
/** Those that a chain gone through here has used up. */
const CHAIN_MEMBERS: readonly string[] = ['models', 'fallbacks', CONTEXT_MEMBER]
const OWN_MEMBERS: readonly string[] = [CONTEXT_MEMBER]
const NO_MEMBERS: readonly string[] = []
const NO_LOSSES: readonly Loss[] = []
const NO_OVERRIDES: readonly Override[] = []

/** What of a request decides what becomes of its body. */
export type Adapting = Pick<Asked, 'gateway' | 'parsed' | 'plan' | 'hold'>

export interface Adapted {
  readonly body: Buffer
  readonly losses: readonly Loss[]
  /** What was set by two, for the log. */
  readonly overridden: readonly Override[]
}

/**
 * The upstream's body with what the model string and the route say: the route's defaults under the client's members (R64), the
 * string's parameters above them (R30, R32), reasoning where the suffix asks for it (R34), and the backend's own members above all. What the gateway alone has to hear is
 * taken out. Nearly always there is nothing to do, and the body stays as it is.
 */
export function adaptBody(asked: Adapting, target: Target, body: Buffer): Adapted {
  const { route, selection } = target
  const heard = heardMembers(asked, target)
  const { force } = route.backend
  const isPlain =
    !selection.thinking && isEmpty(selection.parameters) && isEmpty(route.defaultParams) && force === undefined
  const asItIs = { body, losses: NO_LOSSES, overridden: NO_OVERRIDES }
  if (isPlain && heard.length === 0) return asItIs
  const fields = fieldsIn(parseFaithfulJson(body.toString('utf8')))
  if (!fields) return asItIs
  const losses = new Losses()
  const overrides = new Overrides()
  const traits = traitsFor(target, asked.gateway.settings.anthropicUpstreamVersion)
  for (const name of heard) {
    if (OPENROUTER_MEMBERS.includes(name) && name in fields && !isDoneHere(asked.parsed, name))
      losses.dropped(`/${name}`, 'only OpenRouter follows it')
    delete fields[name]
  }
  if (heard.includes(CONTEXT_MEMBER)) withoutContext(fields)
  layUnder(fields, route.defaultParams, overrides)
  applyParameters(asked, target, fields, traits, { losses, overrides })
  reason(asked, target, fields, traits, losses)
  if (force) enforce(fields, force, asked.plan.bound?.outputTokensMax ?? null, overrides)
  return { body: Buffer.from(JSON.stringify(fields)), losses: losses.list, overridden: overrides.list }
}

/** A body for a counter, which has no use for what says where a request may go, and may refuse it. */
export function withoutHeard({ wishes }: Adapting['parsed'], body: Buffer): Buffer {
  if (wishes === null || wishes.spans.length === 0) return body
  const fields = fieldsIn(parseFaithfulJson(body.toString('utf8')))
  if (!fields) return body
  for (const name of FOREIGN_MEMBERS) delete fields[name]
  return Buffer.from(JSON.stringify(fields))
}

/** Whether the gateway itself does what the member asks for. */
export const isDoneHere = ({ surface, wishes }: Adapting['parsed'], name: string): boolean =>
  surface === 'openai-chat' && wishes?.compressing?.includes(name) === true

/** What is taken out of the body: a vendor's own API would refuse it, and what was done here is not to be done again. */
function heardMembers({ parsed, plan, hold }: Adapting, target: Target): readonly string[] {
  const { wishes } = parsed
  if (wishes === null || (wishes.spans.length === 0 && wishes.contextTokens === null)) return NO_MEMBERS
  const { type } = target.route.backend
  const isOpenRouter = type === 'openrouter'
  if (isOpenRouter ? !target.followsWishes : !TAKES_ANYTHING.has(type)) return FOREIGN_MEMBERS
  // A model that OpenRouter chose by itself would be billed at the price of another one, or be one that the key may not use.
  const isOthers = target.selection.isRestricted === true || (isOpenRouter && hold.metered)
  const isChosenHere = isOthers || plan.targets.some(isOfChain(plan.model.id))
  if (isChosenHere && wishes.models.length > 0) return CHAIN_MEMBERS
  return wishes.contextTokens === null ? NO_MEMBERS : OWN_MEMBERS
}

/** A number for this gateway alone; what else is in `extra_body` is the upstream's. */
function withoutContext(fields: Fields): void {
  const extra = fieldsIn(fields['extra_body'])
  if (extra?.[CONTEXT_MEMBER] === undefined) return
  delete extra[CONTEXT_MEMBER]
  if (isEmpty(extra)) delete fields['extra_body']
}

const isOfChain =
  (modelId: string) =>
  ({ route }: Target): boolean =>
    route.model.id !== modelId

function isEmpty(members: object): boolean {
  for (const name in members) if (Object.hasOwn(members, name)) return false
  return true
}

/** The client's members win, object by object. Limits of the answer are no matter of defaults: money is held for them. */
function layUnder(
  fields: Fields,
  defaults: Readonly<Record<string, unknown>>,
  overrides: Overrides | null,
  at = '',
): void {
  for (const [name, value] of Object.entries(defaults)) {
    if (LIMIT_MEMBERS.includes(name) || name === 'maxOutputTokens' || name === 'maxTokens') continue
    const own = fieldsIn(fields[name])
    const under = fieldsIn(value)
    const path = at + name
    if (own && under) layUnder(own, under, overrides, `${path}.`)
    else if (fields[name] !== undefined) overrides?.note(path, 'body', 'default')
    else {
      fields[name] = structuredClone(value)
      overrides?.lay(path)
    }
  }
}

/** What decides where a request goes and how it is answered is not the backend's to say. */
const UNFORCED: ReadonlySet<string> = new Set(['model', 'stream'])

/** The operator's members replace all others (R32); a limit never goes beyond what money is held for. */
function enforce(
  fields: Fields,
  force: Readonly<Record<string, unknown>>,
  outputTokensMax: number | null,
  overrides: Overrides,
): void {
  for (const [name, value] of Object.entries(force)) {
    if (UNFORCED.has(name)) continue
    if (fields[name] !== undefined) overrides.note(name, 'backend', 'request')
    const isLimit = LIMIT_MEMBERS.includes(name) && typeof value === 'number'
    const held = typeof fields[name] === 'number' ? fields[name] : (outputTokensMax ?? Infinity)
    fields[name] = isLimit ? Math.min(value, held) : structuredClone(value)
  }
}

function applyParameters(
  asked: Adapting,
  target: Target,
  fields: Fields,
  traits: TargetTraits,
  { losses, overrides }: { readonly losses: Losses; readonly overrides: Overrides },
): void {
  const { protocol, route, selection } = target
  const limit = asked.hold.outputTokensMax
  for (const [name, value] of Object.entries(selection.parameters) as [keyof UriParameters, number | string][]) {
    if (name === 'reasoning_effort') continue
    const place = placeOf(name, protocol, traits, route.backend.type)
    if ('without' in place) {
      losses.dropped(`/model/${name}`, place.without)
      continue
    }
    const holder = place.slice(0, -1).reduce(childOf, fields)
    const last = place.at(-1)!
    // A limit may stand there that is not the client's but what money is held for.
    const isSet = name === 'max_tokens' ? asked.parsed.facts.outputTokensMax !== null : holder[last] !== undefined
    if (isSet) overrides.note(place.join('.'), 'model string')
    if (name === 'max_tokens') for (const other of LIMIT_MEMBERS) delete fields[other]
    holder[last] = bounded(name, value, protocol, limit, losses)
  }
}

/** Claude's temperature ends at 1 (R81), and no limit goes beyond what the balance pays for. */
function bounded(
  name: string,
  value: number | string,
  protocol: string,
  outputTokensMax: number | null,
  losses: Losses,
): number | string {
  if (typeof value !== 'number') return value
  if (name === 'max_tokens' && outputTokensMax !== null) return Math.min(value, outputTokensMax)
  const isClaude = protocol === 'anthropic-messages' || protocol === 'bedrock-converse'
  if (name !== 'temperature' || !isClaude || value <= 1) return value
  losses.narrowed('/model/temperature', 'the upstream takes at most 1')
  return 1
}

function reason(asked: Adapting, target: Target, fields: Fields, traits: TargetTraits, losses: Losses): void {
  const { protocol, route, selection } = target
  const effort = selection.parameters.reasoning_effort ?? null
  if (!selection.thinking && effort === null) return
  const { thinking } = route.model
  // A style of the operator's own is laid under what the client says, as any default (DeepSeek-like hosts).
  const own = fieldsIn(thinking?.['param'])
  if (own) return layUnder(fields, own, null)
  const style =
    typeof thinking?.['style'] === 'string' ? (thinking['style'] as TargetTraits['reasoning']) : traits.reasoning
  if (style === 'none') return losses.dropped('/model/reasoning_effort', 'the model does not reason')
  const { defaultEffort, budget } = asked.gateway.settings.thinking
  const wish = { effort, defaultEffort: defaultEffort === '' ? 'high' : defaultEffort, defaultBudget: budget }
  for (const name of askToReason(fields, protocol, style, wish, traits.outputTokensMax))
    losses.dropped(`/${name}`, 'the model takes none while it reasons')
}
