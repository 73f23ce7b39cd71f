import type { TargetTraits } from '#codecs/translation.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { differencesOf, shown } from './differences.ts'
import { canonical } from './equivalences.ts'
import { ASKED, clientOf, type ClientProtocol, type Exchange, isClient, traitsFor, upstreamOf } from './exchanges.ts'
import { law } from './law.ts'

/** Law 1 of translated requests (design.md section 4): what is read and written again is the same. */

law('a request that is read and written again asks the same', 1300, (tell) => {
  let count = 0
  for (const exchange of ASKED) {
    const { id, protocol, request, stream } = exchange
    if (!isClient(protocol)) continue
    count++
    const losses = new Losses()
    const read = clientOf(protocol).decodeRequest(request!, { stream: stream !== null })
    const { body } = upstreamOf(protocol).encodeRequest(read, traitsAsked(exchange, protocol), losses)
    const written: unknown = JSON.parse(JSON.stringify(body))
    for (const difference of differencesOf(canonical(protocol, plain(request)), canonical(protocol, written)))
      if (!isDeclared(difference.path, losses.list)) tell(id, shown(difference))
  }
  return count
})

/** Whether a loss names the place, its parent or something in it. Positions are left out: what is put elsewhere shifts them. */
function isDeclared(path: string, losses: readonly Loss[]): boolean {
  const place = namesOf(path)
  return losses.some((loss) => place.startsWith(namesOf(loss.path)) || namesOf(loss.path).startsWith(place))
}

const namesOf = (path: string): string => `${path.replaceAll(/\/\d+/g, '')}/`

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** The traits of a host that takes what its client wrote: names of members are the target's to choose. */
function traitsAsked({ model, request }: Exchange, protocol: ClientProtocol): TargetTraits {
  const body = request!
  const messages = (body['messages'] ?? []) as Readonly<Record<string, unknown>>[]
  const hasCache = JSON.stringify(body).includes('"cache_control"')
  const isRouter = protocol === 'openai-chat' && (body['reasoning'] !== undefined || hasCache)
  // The recordings have placeholders for ids, which no host gave.
  const { callIds: _narrower, ...traits } = traitsFor(protocol, model, isRouter ? 'openrouter' : 'any')
  return {
    ...traits,
    ...(protocol === 'openai-chat'
      ? {
          usesCompletionTokens: body['max_completion_tokens'] !== undefined,
          hasDeveloperRole: messages.some(({ role }) => role === 'developer'),
          takesReasoningContent: messages.some((each) => 'reasoning_content' in each || 'reasoning' in each),
        }
      : {}),
  }
}
