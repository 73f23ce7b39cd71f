import { Losses } from '#ir/extensions.ts'
import { withoutThoughts } from './bare.ts'
import { nextRequest } from './echo.ts'
import { clientOf, CLIENTS, type ClientProtocol, traitsFor, upstreamOf } from './exchanges.ts'
import { law } from './law.ts'
import { stepsOfRequest } from './seals.ts'
import { asKept, compare, isCall, isText, type Signed, SIGNED } from './signed.ts'

/**
 * Signed reasoning comes back to its issuer byte for byte and at its place, through a client of any protocol (B3). Held
 * against the assistant's turns of every recorded conversation and against every recorded answer that has a seal.
 */

interface How {
  readonly isStreamed: boolean
  readonly keepsThoughts: boolean
}

/** What arrives at the issuer when the client sends the turn back. */
function arrivedThrough(client: ClientProtocol, { exchange, events }: Signed, how: How): string[] {
  const { protocol, model } = exchange
  const echoed = nextRequest(client, protocol, events, how.isStreamed)
  const request = how.keepsThoughts ? echoed : withoutThoughts(echoed)
  const read = clientOf(client).decodeRequest(request, { stream: false })
  const { body } = upstreamOf(protocol).encodeRequest(read, traitsFor(protocol, model), new Losses())
  return stepsOfRequest(protocol, JSON.parse(JSON.stringify(body)))
}

const WAYS = CLIENTS.flatMap((client) => [true, false].map((isStreamed) => ({ client, isStreamed })))

for (const { client, isStreamed } of WAYS) {
  law(`seals come back through a client of ${client}, ${isStreamed ? 'streamed' : 'whole'}`, 350, (tell) => {
    let count = 0
    for (const signed of SIGNED) {
      const sent = expected(client, signed)
      if (sent === null) continue
      count++
      const arrived = arrivedThrough(client, signed, { isStreamed, keepsThoughts: true })
      compare(asKept(client, signed, sent), asKept(client, signed, arrived), (fault) => tell(signed.exchange.id, fault))
    }
    return count
  })
}

law('seals come back through the Gemini CLI, which gives back no thoughts', 100, (tell) => {
  let count = 0
  for (const signed of SIGNED) {
    const { exchange, steps } = signed
    // Without a call there is nothing that could carry them, and thoughts of Gemini itself are its own business.
    if (!steps.some(isCall) || exchange.protocol === 'gemini') continue
    count++
    const arrived = arrivedThrough('gemini', signed, { isStreamed: true, keepsThoughts: false })
    // What stood behind the last call has no carrier either; texts keep their order among themselves.
    const carried = steps.slice(0, steps.findLastIndex(isCall) + 1)
    const isKept = (step: string) => !step.startsWith('text ')
    const [sent, came] = [carried, arrived].map((each) => asKept('gemini', signed, each.filter(isKept)))
    compare(sent!, came!, (fault) => tell(exchange.id, fault))
  }
  return count
})

/** What can come back through this client; null when there is nothing that carries it. */
function expected(client: ClientProtocol, { exchange, steps }: Signed): readonly string[] | null {
  // Items of server tools do not pass through other clients, and reasoning that nothing follows is refused by OpenAI.
  if (exchange.protocol === 'openai-responses' && !steps.some((step) => isCall(step) || isText(step))) return null
  // Messages clients take the last block for the answer, so that the seal of a text that ends it is not written behind it.
  const endsInSealedText = steps.at(-1)?.startsWith('seal ') && isText(steps.at(-2) ?? '')
  const isLost = client === 'anthropic-messages' && exchange.protocol === 'gemini' && endsInSealedText
  return isLost ? steps.slice(0, -1) : steps
}
