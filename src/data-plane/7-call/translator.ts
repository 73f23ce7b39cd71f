import { GatewayError } from '#base/errors.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { formatUsd } from '#base/money.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import { type AnswerFacts, NO_FACTS } from '#codecs/codec.ts'
import { Emulation } from '#codecs/emulation.ts'
import { CLIENT_CODECS, UPSTREAM_CODECS } from '#codecs/index.ts'
import { traitsOf } from '#codecs/model-traits.ts'
import { RAISED_LIMIT_MAX, raisesLimit } from '#codecs/raised-limit.ts'
import { ToolNames } from '#codecs/tool-names.ts'
import type { AnswerContext, ClientCodec, EncodedRequest, TargetTraits, UpstreamCodec } from '#codecs/translation.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Loss, Losses } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import type { Cost } from '#ledger/cost.ts'
import { isOperatorsName } from '#providers/cloud-paths.ts'
import type { Pricing } from './answer.ts'
import { AnswerWatch } from './answer-watch.ts'
import type { Conversation } from './conversation.ts'
import type { SealStash, StashScope } from './seal-stash.ts'
import { SealWatch } from './seal-watch.ts'
import { type Onlooker, TranslatedReader } from './translated-reader.ts'

/** One request in its target's protocol, and the way its answer goes back. */
export interface Translation {
  readonly pricing: Pricing
  /** For the upstream. */
  readonly body: Buffer
  /** Of a request that takes several calls: all of them, whose answers are read as one JSON list. */
  readonly bodies?: readonly Buffer[]
  readonly losses: readonly Loss[]
  /** Where each neutral setting stood in the client's body. */
  readonly paths: ChatRequest['paths']
  /** What the answer loses, as it comes to light; null when that is not declared. */
  readonly answerLosses: AnswerLosses | null
  /** The method in a Gemini target's path; null: the usual one. */
  readonly geminiAction: string | null
  /** Keeps the complete answer where the client may continue it; null when it is not to be kept. */
  readonly save: (() => Promise<void>) | null
  /** Null: such an answer is never a stream. */
  openReader(): TranslatedReader | null
  /** Reads a whole answer. Throws SyntaxError for what is no JSON. */
  readWhole(body: Buffer): TranslatedWhole
}

export interface TranslatedWhole {
  readonly facts: AnswerFacts
  /** Writes the answer in the client's protocol; `usage` is what is booked. Null when there is none. */
  readonly render: ((usage: Usage | null) => Buffer) | null
}

/** Text of an answer that is kept for its continuation; the store's own bound is that of the whole record. */
export const KEPT_CHARACTERS_MAX = 8 * 1024 * 1024

/** A client's request, read and complete, with the seals that the client left out. */
export interface DecodedRequest extends Conversation {
  readonly request: ChatRequest
  /** What was lost on the way here; what the encoding loses is added. */
  readonly losses: Losses
}

/** What a translation goes by besides the request and its target. */
export interface TranslationTerms {
  readonly stash: SealStash
  readonly scope: StashScope
  /** What the balance pays for; null: as much as was asked. */
  readonly outputTokensMax: number | null
  /** `anthropic.upstream_version`. */
  readonly anthropicVersion: string
}

/** A chat request translated for one target (R86). */
export class ChatTranslator implements Translation {
  readonly body: Buffer
  readonly losses: readonly Loss[]
  readonly paths: ChatRequest['paths']
  readonly answerLosses: AnswerLosses
  readonly geminiAction = null
  readonly pricing: Pricing = { tell: null }
  private readonly client: ClientCodec
  private readonly upstream: UpstreamCodec
  private readonly request: ChatRequest
  private readonly names: ToolNames
  private readonly encoded: EncodedRequest
  private readonly context: AnswerContext

  private readonly keep: Conversation['keep']
  private readonly stash: SealStash
  private readonly scope: StashScope
  /** The answer's events, when it is to be kept. */
  private readonly kept: ChatEvent[] = []
  private keptCharacters = 0

  /** Throws GatewayError (400) for what the target cannot do at all. */
  constructor(exchange: Exchange, parsed: Parsed, target: Target, decoded: DecodedRequest, terms: TranslationTerms) {
    const { outputTokensMax } = terms
    this.stash = terms.stash
    this.scope = terms.scope
    const { losses } = decoded
    this.keep = decoded.keep
    this.client = clientCodecOf(parsed.surface)
    this.upstream = codecOf(UPSTREAM_CODECS, target.protocol)
    const asked = decoded.request
    const { protocol } = target
    this.request =
      outputTokensMax === null
        ? asked
        : affordable(asked, outputTokensMax, raisesLimit(parsed.surface, protocol), losses)
    this.names = new ToolNames(this.request, protocol)
    const named = this.names.rename(this.request, losses)
    this.encoded = this.upstream.encodeRequest(named, traitsFor(target, terms.anthropicVersion), losses)
    this.paths = this.request.paths
    this.losses = withoutSpareTools(this.request, losses.list)
    this.body = Buffer.from(JSON.stringify(this.encoded.body))
    this.answerLosses = new AnswerLosses(protocol, parsed.surface)
    this.context = {
      id: exchange.id.slice(exchange.id.indexOf('_') + 1),
      model: target.route.model.id,
      createdAt: Math.floor(exchange.startedMs / 1000),
      upstream: protocol,
      request: this.request,
      requestBody: decoded.body,
      showsUsage: exchange.openRouter ? parsed.facts.showsUsage !== false : parsed.facts.showsUsage === true,
      isOpenRouter: exchange.openRouter,
      losses: this.answerLosses,
      costOf: (usage) => textOf(this.pricing.tell?.(usage) ?? null),
    }
  }

  openReader(): TranslatedReader {
    return new TranslatedReader(
      this.client.answerId(this.context.id),
      this.upstream.openDecoder(this.decoding),
      Emulation.of(this.names, this.encoded),
      this.client.openEncoder(this.context),
      this.onlooker(),
    )
  }

  /** Looks on while the answer passes: its seals are kept, and all of it where the client may continue it. */
  private onlooker(): Onlooker {
    const seals = this.sealWatch()
    if (!this.keep) return seals
    return {
      see: (event) => {
        seals.see(event)
        this.keepEvent(event)
      },
      done: () => seals.done(),
    }
  }

  private sealWatch(): SealWatch {
    return new SealWatch(this.stash, this.scope, this.client.openCallIds(this.context.id))
  }

  private keepEvent(event: ChatEvent): void {
    if (event.type === 'block-delta') this.keptCharacters += event.text.length
    // The store takes no such answer, and an answer without end must not fill the memory.
    if (this.keptCharacters > KEPT_CHARACTERS_MAX) this.kept.length = 0
    else this.kept.push(event)
  }

  /** Keeps the complete answer where the client may continue it; resolves when that is done. */
  get save(): (() => Promise<void>) | null {
    const { keep } = this
    if (!keep) return null
    return async () => {
      if (this.keptCharacters <= KEPT_CHARACTERS_MAX) await keep(this.client.encodeWhole(this.kept, this.context))
    }
  }

  readWhole(body: Buffer): TranslatedWhole {
    const { events, failure } = this.upstream.decodeWhole(parseFaithfulJson(body.toString('utf8')), this.decoding)
    const watch = new AnswerWatch(this.client.answerId(this.context.id))
    const emulation = Emulation.of(this.names, this.encoded)
    const seals = this.sealWatch()
    for (const event of events) {
      watch.see(event)
      const shown = emulation ? emulation.push(event) : event
      if (!shown) continue
      this.kept.push(shown)
      seals.see(shown)
    }
    seals.done()
    const { usage, finishReason, responseId, toolCallsCount, contentBytes } = watch
    return {
      facts: { ...NO_FACTS, usage, finishReason, responseId, toolCallsCount, contentBytes, failure },
      render: () => Buffer.from(JSON.stringify(this.client.encodeWhole(this.kept, this.context))),
    }
  }

  private get decoding(): { readonly candidates: number } {
    return { candidates: this.request.candidates ?? 1 }
  }
}

const textOf = (cost: Cost | null): string | null => cost && formatUsd(cost.nano)

/** The request within what the balance pays for: where reasoning would raise the limit again, it is left out (R94). */
function affordable(request: ChatRequest, outputTokensMax: number, mayRaise: boolean, losses: Losses): ChatRequest {
  if (!mayRaise || request.reasoning === null || outputTokensMax >= RAISED_LIMIT_MAX)
    return { ...request, outputTokensMax }
  losses.dropped(request.paths['reasoning'] ?? '/reasoning', 'the balance does not pay for it')
  return { ...request, outputTokensMax, reasoning: null }
}

/** The version of its API that the client speaks; only Messages has one. */
export function versionOf({ request }: Exchange): string | undefined {
  const version = request.headers['anthropic-version']
  return typeof version === 'string' ? version : undefined
}

/** How this target's model wants to be asked. */
export function traitsFor(
  { route, protocol }: Pick<Target, 'route' | 'protocol'>,
  anthropicVersion: string,
): TargetTraits {
  const { model } = route
  const { cloud } = route.backend
  const isOwnName = cloud !== undefined && isOperatorsName(cloud, route.upstreamModel)
  const found = traitsOf({
    protocol,
    backendType: route.backend.type,
    upstreamModel: isOwnName ? model.id : route.upstreamModel,
    vendor: model.vendor,
    capabilities: model.capabilities,
    outputTokensMax: model.maxOutput,
    anthropicVersion,
  })
  return isOwnName ? { ...found, model: route.upstreamModel } : found
}

/**
 * A tool that the provider would run is offered by agents beside their own, whatever the model: without it the model does
 * with the others, and that is told as a warning. Where it is all there is, or must be called, the request is refused.
 */
export function withoutSpareTools(request: ChatRequest, losses: readonly Loss[]): readonly Loss[] {
  const { tools, toolChoice } = request
  const forced = toolChoice?.type === 'tool' ? toolChoice.name : null
  const isForced = toolChoice?.type === 'opaque' || tools.some((tool) => tool.type === 'server' && tool.name === forced)
  const isSpare = !isForced && tools.some((tool) => tool.type !== 'server')
  if (!isSpare) return losses
  const spare = new Set(tools.filter((tool) => tool.type === 'server').map((tool) => tool.path))
  return losses.map((loss) => (loss.isSevere && spare.has(loss.path) ? { ...loss, isSevere: false } : loss))
}

/** Reads requests of this surface. Throws `translation_not_available` where only the same protocol serves it. */
export const clientCodecOf = (surface: Surface): ClientCodec => codecOf(CLIENT_CODECS, surface)

function codecOf<Codec>(codecs: Readonly<Partial<Record<Protocol, Codec>>>, protocol: Protocol): Codec {
  const codec = codecs[protocol]
  if (!codec) throw new GatewayError('translation_not_available', `${protocol} cannot be translated.`)
  return codec
}
