import type { Caller } from '#accounts/types.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Report } from '#data-plane/report.ts'
import { Losses } from '#ir/extensions.ts'
import { readConversation } from './conversation.ts'
import { credentialOf } from './dispatch.ts'
import { EmbeddingTranslator } from './embedding-translator.ts'
import { refuseLosses } from './losses.ts'
import { loadRemoteMedia } from './remote-media.ts'
import { ChatTranslator, clientCodecOf, traitsFor, type Translation, versionOf } from './translator.ts'

/** The request in the target's protocol. Throws 400 for what the client wrote wrongly and for what the target cannot do. */
export async function translate(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  target: Target,
  hold: Hold,
  report: Report,
): Promise<Translation> {
  const translation =
    parsed.operation === 'embed'
      ? new EmbeddingTranslator(exchange, parsed, plan, target)
      : await translateChat(gateway, caller, exchange, parsed, plan, target, hold)
  report.declare(parsed.surface, target.protocol, translation.losses, translation.answerLosses)
  refuseLosses(gateway.settings, translation.losses)
  return translation
}

async function translateChat(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  target: Target,
  hold: Hold,
): Promise<ChatTranslator> {
  const body = parseFaithfulJson(parsed.body.toString('utf8')) as Readonly<Record<string, unknown>>
  const conversation =
    parsed.surface === 'openai-responses'
      ? await readConversation(gateway, caller, exchange, plan, target, body)
      : { body, keep: null }
  const { backend } = target.route
  const scope = {
    accountId: caller.account.id,
    backendId: backend.id,
    credential: credentialOf(backend) ?? backend.aws?.accessKeyId ?? null,
  }
  const stash = gateway.sealStash
  const given = clientCodecOf(parsed.surface).decodeRequest(conversation.body, {
    stream: parsed.stream,
    version: versionOf(exchange),
  })
  const asked = await stash.restore(scope, given)
  const losses = new Losses()
  const anthropicVersion = gateway.settings.anthropicUpstreamVersion
  const { mediaUrls } = traitsFor(plan, target, anthropicVersion)
  const request = await loadRemoteMedia(gateway, exchange, asked, mediaUrls, losses)
  const decoded = { request, losses, body: conversation.body, keep: conversation.keep }
  return new ChatTranslator(exchange, parsed, plan, target, decoded, {
    stash,
    scope,
    outputTokensMax: hold.outputTokensMax,
    anthropicVersion,
  })
}
