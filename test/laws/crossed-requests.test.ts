import { GatewayError } from '#base/errors.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { ASKED, clientOf, CLIENTS, type ClientProtocol, traitsFor, upstreamOf } from './exchanges.ts'
import { law } from './law.ts'
import { type Fact, factsOfRequest } from './neutral.ts'

/** Law 2 of translated requests (design.md section 4): what another protocol does not get of a request is declared. */

/** A model of each protocol that can do most of what can be asked. */
const MODELS = {
  'openai-chat': 'any-model',
  'openai-responses': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  'bedrock-converse': 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
} as const

for (const client of CLIENTS) {
  for (const target of CLIENTS) {
    if (client === target) continue
    law(`what ${target} does not get of a request of ${client} is declared`, 150, (tell) =>
      crossAll(client, target, tell),
    )
  }
}

function crossAll(client: ClientProtocol, target: ClientProtocol, tell: (id: string, fault: string) => void): number {
  let count = 0
  for (const { id, protocol, request, stream } of ASKED) {
    if (protocol !== client) continue
    const losses = new Losses()
    const asked = clientOf(client).decodeRequest(request!, { stream: stream !== null })
    let body: unknown
    try {
      body = upstreamOf(target).encodeRequest(asked, traitsFor(target, MODELS[target]), losses).body
    } catch (error) {
      // What cannot be asked at all is refused, which is said loudest.
      if (error instanceof GatewayError) continue
      throw error
    }
    count++
    const got = clientOf(target).decodeRequest(JSON.parse(JSON.stringify(body)), { stream: stream !== null })
    for (const fact of missing(factsOfRequest(asked), factsOfRequest(got)))
      if (!isDeclared(placeOf(fact, asked, got), losses.list))
        tell(id, `${fact.kind} ${fact.value.slice(0, 120)} at ${fact.path}`)
  }
  return count
}

/**
 * Where a loss has to name it. A tool that is left out because only others are allowed is named with the choice, and a
 * choice among tools that are all lost is named with them.
 */
function placeOf({ kind, path }: Fact, { toolChoice: choice, tools }: ChatRequest, got: ChatRequest): string {
  if (kind === 'toolChoice' && got.tools.length === 0) return tools[0]?.path ?? path
  const isLeftOut = choice?.type === 'allowed' && choice.names.every((name) => !kind.endsWith(` ${name}`))
  return kind.startsWith('tool ') && isLeftOut ? '/tool_choice' : path
}

/** The facts that the target did not get, or not in their order. */
function missing(asked: readonly Fact[], got: readonly Fact[]): Fact[] {
  const lost: Fact[] = []
  const sides = Map.groupBy(got, ({ kind }) => kind)
  for (const [kind, facts] of Map.groupBy(asked, (fact) => fact.kind)) {
    const values = (sides.get(kind) ?? []).map(({ value }) => value)
    const isText = kind.startsWith('text ') || kind === 'results'
    lost.push(...(isText ? missingTexts(facts, values.join('\n')) : missingValues(facts, values)))
  }
  return lost
}

/** Texts may be joined, but each must be there, and after the one before. */
function missingTexts(facts: readonly Fact[], text: string): Fact[] {
  let at = 0
  return facts.filter(({ value }) => {
    const found = text.indexOf(value, at)
    if (found >= 0) at = found + value.length
    return found < 0
  })
}

function missingValues(facts: readonly Fact[], values: readonly string[]): Fact[] {
  let at = 0
  return facts.filter(({ value }) => {
    const found = values.indexOf(value, at)
    if (found >= 0) at = found + 1
    return found < 0
  })
}

/** A loss names the place, something in it, or the block or tool that it stands in; but not the whole configuration. */
function isDeclared(path: string, losses: readonly Loss[]): boolean {
  return losses.some((loss) => {
    if (`${loss.path}/`.startsWith(`${path}/`)) return true
    return loss.path !== '/generationConfig' && `${path}/`.startsWith(`${loss.path}/`)
  })
}
