import { parseFaithfulJson } from '#base/exact-json.ts'
import { formatUsd } from '#base/money.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import { NO_FACTS } from '#codecs/codec.ts'
import { bedrockEmbeddings } from '#codecs/bedrock-embeddings/translation.ts'
import { cohereEmbeddings } from '#codecs/cohere-embeddings/translation.ts'
import { geminiEmbeddings } from '#codecs/gemini-embeddings/translation.ts'
import { type EmbeddingCodec, type EmbeddingUpstream, openAiEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import type { Pricing } from './answer.ts'
import type { TranslatedWhole, Translation } from './translator.ts'

const codecOf = (protocol: Surface): EmbeddingCodec => (protocol === 'gemini' ? geminiEmbeddings : openAiEmbeddings)

function upstreamOf(protocol: Protocol): EmbeddingUpstream {
  if (protocol === 'bedrock-converse') return bedrockEmbeddings
  return protocol === 'cohere-chat' ? cohereEmbeddings : codecOf(protocol)
}

/** One embedding request translated for one target (R4). */
export class EmbeddingTranslator implements Translation {
  readonly body: Buffer
  readonly bodies: readonly Buffer[]
  readonly losses: readonly Loss[]
  readonly paths = {}
  readonly geminiAction: string | null
  readonly answerLosses = null
  readonly save = null
  private readonly client: EmbeddingCodec
  private readonly upstream: EmbeddingUpstream
  private readonly request: EmbeddingRequest
  private readonly model: string
  readonly pricing: Pricing = { tell: null }

  /** Throws GatewayError (400) for what the client wrote wrongly and for inputs that the target cannot take. */
  constructor(exchange: Exchange, parsed: Parsed, target: Target) {
    const { route, protocol } = target
    this.client = codecOf(parsed.surface)
    this.upstream = upstreamOf(protocol)
    this.model = target.route.model.id
    this.request = this.client.decodeRequest(parseFaithfulJson(parsed.body.toString('utf8')), exchange.endpoint.action)
    const losses = new Losses()
    const encoded = this.upstream.encodeRequest(this.request, { model: route.upstreamModel }, losses)
    this.body = Buffer.from(JSON.stringify(encoded.body))
    this.bodies = (encoded.bodies ?? []).map((body) => Buffer.from(JSON.stringify(body)))
    this.geminiAction = encoded.action
    this.losses = losses.list
  }

  private readonly price = (usage: Usage): string | null => {
    const cost = this.pricing.tell?.(usage) ?? null
    return cost && formatUsd(cost.nano)
  }

  openReader(): null {
    return null
  }

  readWhole(body: Buffer): TranslatedWhole {
    // Vectors are doubles whoever reads them; keeping the source text of each number would cost far more than the answer.
    const { answer, failure } = this.upstream.decodeAnswer(JSON.parse(body.toString('utf8')), this.request)
    if (failure) return { facts: { ...NO_FACTS, failure }, render: null }
    return {
      facts: { ...NO_FACTS, usage: answer.usage },
      render: (usage) => {
        const context = { model: this.model, request: this.request, costOf: this.price }
        return Buffer.from(JSON.stringify(this.client.encodeAnswer({ ...answer, usage }, context)))
      },
    }
  }
}
