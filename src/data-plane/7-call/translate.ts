import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { requireAll, requiresParameters } from '#data-plane/required-parameters.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { HEARD_MEMBERS, isDoneHere } from './adapt-body.ts'
import type { Asked } from './asked.ts'
import { readConversation } from './conversation.ts'
import { EmbeddingTranslator } from './embedding-translator.ts'
import { refuseLosses } from './losses.ts'
import { loadRemoteMedia } from './remote-media.ts'
import { ChatTranslator, clientCodecOf, traitsFor, type Translation, versionOf } from './translator.ts'

/**
 * The request in the target's protocol, for the credential that it is sent with. Throws 400 for what the client wrote wrongly
 * and for what the target cannot do.
 */
export async function translate(asked: Asked, target: Target, credential: string | null): Promise<Translation> {
  const { gateway, exchange, parsed, report } = asked
  const translation =
    parsed.operation === 'embed'
      ? new EmbeddingTranslator(exchange, parsed, target)
      : await translateChat(asked, target, credential)
  // What the gateway has heard itself is not lost.
  const losses =
    parsed.wishes === null
      ? translation.losses
      : translation.losses.filter((loss) => isUnheard(loss) && !isDoneHere(parsed, loss.path.slice(1)))
  report.declare(parsed.surface, target.protocol, losses, translation.answerLosses)
  refuseLosses(gateway.settings, losses)
  if (requiresParameters(parsed.wishes?.provider)) requireAll(losses, target.selection.requested)
  return translation
}

const isUnheard = ({ path }: Loss): boolean => !HEARD_MEMBERS.includes(path.slice(1))

async function translateChat(asked: Asked, target: Target, credential: string | null): Promise<ChatTranslator> {
  const { gateway, caller, exchange, parsed, hold } = asked
  const body = parseFaithfulJson(parsed.body.toString('utf8')) as Readonly<Record<string, unknown>>
  const conversation =
    parsed.surface === 'openai-responses'
      ? await readConversation(gateway, caller, exchange, target, body)
      : { body, keep: null }
  const { backend } = target.route
  const scope = {
    accountId: caller.account.id,
    backendId: backend.id,
    credential: credential ?? backend.aws?.accessKeyId ?? null,
  }
  const stash = gateway.sealStash
  const given = clientCodecOf(parsed.surface).decodeRequest(conversation.body, {
    stream: parsed.stream,
    version: versionOf(exchange),
  })
  const losses = new Losses()
  const anthropicVersion = gateway.settings.anthropicUpstreamVersion
  const { mediaUrls } = traitsFor(target, anthropicVersion)
  const sealed = await stash.restore(scope, given)
  const request = await loadRemoteMedia(gateway, exchange, sealed, mediaUrls, losses)
  const decoded = { request, losses, body: conversation.body, keep: conversation.keep }
  const terms = { stash, scope, outputTokensMax: hold.outputTokensMax, anthropicVersion }
  return new ChatTranslator(exchange, parsed, target, decoded, terms)
}
