import { GatewayError } from '#base/errors.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { CLIENT_CODECS, UPSTREAM_CODECS } from '#codecs/index.ts'
import { ToolNames } from '#codecs/tool-names.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import { adaptBody, HEARD_MEMBERS, isDoneHere } from '#data-plane/7-call/adapt-body.ts'
import { refuseLosses } from '#data-plane/7-call/losses.ts'
import { applyParamRules, paramRulesOf } from '#data-plane/7-call/param-rules.ts'
import { shorten } from '#data-plane/7-call/shorten.ts'
import { traitsFor, withoutSpareTools } from '#data-plane/7-call/translator.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { requireAll, requiresParameters } from '#data-plane/required-parameters.ts'
import { type Loss, Losses } from '#ir/extensions.ts'

/** What a target would lose of the request; `refusal`: it cannot take it at all. */
export interface ToldLosses {
  readonly losses: readonly Loss[]
  readonly refusal: GatewayError | null
}

/** Whose digest stands in a body that is forgotten matters to nobody. */
const NOBODY = ''
const NOTHING_HELD = { metered: false, amountNano: 0n, outputTokensMax: null, watchedTokens: null }

/**
 * Writes the request for the target as step 7 does and forgets it. What has to be loaded for that (kept responses, media at an
 * address) is not, so that its losses are not among these.
 */
export function lossesOf(gateway: Gateway, given: Parsed, plan: Plan, target: Target): ToldLosses {
  try {
    const { shortenTo } = target
    const short = shortenTo === undefined ? null : shorten(given, shortenTo, gateway.settings.limits.jsonDepthMax)
    const parsed = short?.parsed ?? given
    const translated = target.protocol === parsed.surface ? null : encode(gateway, parsed, target)
    const losses = translated?.losses ?? []
    refuseLosses(gateway.settings, losses)
    const adapted = adaptBody({ gateway, parsed, plan, hold: NOTHING_HELD }, target, translated?.body ?? parsed.body)
    const ruled = applyParamRules(paramRulesOf(target), adapted.body, {}, NOBODY)
    refuseLosses(gateway.settings, ruled.losses)
    const all = [...losses, ...adapted.losses, ...ruled.losses]
    if (requiresParameters(parsed.wishes?.provider)) requireAll(all, target.selection.requested)
    return { losses: [...target.selection.warnings, ...(short ? [short.loss] : []), ...all], refusal: null }
  } catch (error) {
    if (error instanceof GatewayError && (error.status < 500 || error.code === 'no_backend_meets_policy'))
      return { losses: [], refusal: error }
    throw error
  }
}

function encode(gateway: Gateway, parsed: Parsed, target: Target): { body: Buffer; losses: readonly Loss[] } | null {
  const client = parsed.surface === 'openai-embeddings' ? undefined : CLIENT_CODECS[parsed.surface]
  const upstream = UPSTREAM_CODECS[target.protocol]
  if (parsed.operation === 'embed' || !client || !upstream) return null
  const request = client.decodeRequest(parseFaithfulJson(parsed.body.toString('utf8')), { stream: parsed.stream })
  const losses = new Losses()
  const named = new ToolNames(request, target.protocol).rename(request, losses)
  const traits = traitsFor(target, gateway.settings.anthropicUpstreamVersion)
  const { body } = upstream.encodeRequest(named, traits, losses)
  const unheard = withoutSpareTools(request, losses.list).filter(
    ({ path }) => !HEARD_MEMBERS.includes(path.slice(1)) && !isDoneHere(parsed, path.slice(1)),
  )
  return { body: Buffer.from(JSON.stringify(body)), losses: unheard }
}
