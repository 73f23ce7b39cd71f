import type { Caller } from '#accounts/types.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan, Target } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { readConversation } from './conversation.ts'
import { credentialOf } from './dispatch.ts'
import { EmbeddingTranslator } from './embedding-translator.ts'
import { refuseLosses } from './losses.ts'
import { ChatTranslator, clientCodecOf, type Translation } from './translator.ts'

/** The request in the target's protocol. Throws 400 for what the client wrote wrongly and for what the target cannot do. */
export async function translate(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  target: Target,
  hold: Hold,
): Promise<Translation> {
  const translation =
    parsed.operation === 'embed'
      ? new EmbeddingTranslator(exchange, parsed, plan, target)
      : await translateChat(gateway, caller, exchange, parsed, plan, target, hold)
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
  const decoded = clientCodecOf(parsed.surface).decodeRequest(conversation.body, { stream: parsed.stream })
  const asked = { request: await stash.restore(scope, decoded), stash, scope }
  return new ChatTranslator(exchange, parsed, plan, target, conversation, asked, hold.outputTokensMax)
}
