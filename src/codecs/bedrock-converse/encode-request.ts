import { withinOutputLimit } from '#codecs/output-limit.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { pairCalls } from './call-ids.ts'
import { cachePointOf, type Encoding, loseExtensions } from './encode-blocks.ts'
import {
  calledTools,
  encodeMessages,
  encodeSystem,
  hasToolBlocks,
  isForeignToolTurn,
  type Message,
} from './encode-messages.ts'
import { type Family, familyOf, takesCachePoints } from './family.ts'
import type { Fields } from './fields.ts'
import { planFormat } from './format.ts'
import { DocumentNames } from './media.ts'
import { planReasoning } from './reasoning.ts'
import { encodeMembers } from './request-members.ts'
import { planSampling } from './sampling.ts'
import { planTools } from './tools.ts'

/** The body for Converse and ConverseStream, which are the same: the path tells the model and whether to stream. */
export function encodeRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const request = withinOutputLimit(asked, target, losses)
  const family = familyOf(target.model)
  const encoding: Encoding = {
    losses,
    callIds: pairCalls(request.turns),
    names: new DocumentNames(),
    takesCachePoints: takesCachePoints(family),
  }
  loseExtensions('', request.ext, losses)
  const system = encodeSystem(request, encoding)
  const messages = withLastCachePoint(encodeMessages(request, encoding), request, encoding)
  const reasoning = planReasoning(request, target, family, isForeignToolTurn(messages), losses)
  const { isThinking } = reasoning
  const format = planFormat(request, target, family, isThinking, losses)
  const { forcedFormat, outputConfig, instruction } = format
  const sampling = planSampling(request, target, family, reasoning, losses)
  const toolsContext = {
    hasToolBlocks: hasToolBlocks(messages),
    called: calledTools(messages),
    isThinking,
    takesStrict: target.hasJsonSchema,
    forcedFormat,
  }
  const { toolConfig, emulatedCustomTools } = planTools(request, toolsContext, encoding)
  const body = {
    messages,
    ...unlessEmpty('system', instruction === null ? system : [...system, { text: instruction }]),
    ...unlessEmpty('inferenceConfig', sampling.inferenceConfig),
    ...(toolConfig ? { toolConfig } : {}),
    ...unlessEmpty('additionalModelRequestFields', { ...reasoning.fields, ...sampling.fields }),
    ...responseFieldPaths(request, family),
    ...(outputConfig ? { outputConfig } : {}),
    ...encodeMembers(request, losses),
  }
  return { body, emulatedCustomTools, formatTool: forcedFormat?.name ?? null }
}

/** The client's one `cache_control` for all means a breakpoint at the end of the conversation. */
function withLastCachePoint(messages: Message[], request: ChatRequest, encoding: Encoding): Message[] {
  const cachePoint = cachePointOf('', request.cacheControl, encoding)
  const last = messages.at(-1)
  if (!cachePoint || !last || 'cachePoint' in last.content.at(-1)!) return messages
  return [...messages.slice(0, -1), { ...last, content: [...last.content, cachePoint] }]
}

/** Claude tells which stop sequence it met, when it is asked for it. */
function responseFieldPaths({ stopSequences }: ChatRequest, family: Family): Fields {
  return family === 'claude' && stopSequences?.length ? { additionalModelResponseFieldPaths: ['/stop_sequence'] } : {}
}

function unlessEmpty(name: string, value: Fields | readonly unknown[]): Fields {
  return Object.keys(value).length > 0 ? { [name]: value } : {}
}
