import { GatewayError } from '#base/errors.ts'
import type { TextBlock } from '#ir/blocks.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { ClientContext } from '#codecs/translation.ts'
import { decodeConfig, NO_CONFIG } from './decode-config.ts'
import { decodeContents } from './decode-contents.ts'
import { decodePart } from './decode-parts.ts'
import { decodeTool, type DecodedToolConfig, decodeToolConfig } from './decode-tools.ts'
import { extensionOf, invalid, isObject, Members, spellingsOf } from './members.ts'

const REQUEST = spellingsOf([
  'model',
  'contents',
  'systemInstruction',
  'tools',
  'toolConfig',
  'generationConfig',
  'serviceTier',
])

/**
 * Reads the body of generateContent and streamGenerateContent; which of the two it is, the path told. Members may be
 * spelled in camelCase or snake_case, null is absent, and one value stands for a list of one, as Google reads its JSON.
 * What is said in another form comes back in the plain one: camelCase, `parametersJsonSchema` and `responseJsonSchema` for
 * schemas of OpenAPI, the standard base64 alphabet, all functions in one tool, turns of one role joined, `includeThoughts`
 * where it went without saying; the role of a system instruction and empty texts beside others are left out.
 */
export function decodeGeminiRequest(body: unknown, context: ClientContext): ChatRequest {
  if (!isObject(body)) throw new GatewayError('invalid_json', 'The body must be a JSON object.')
  // The model is in the path, and the gateway's to choose.
  const request = new Members(body, '', REQUEST)
  if (!request.has('contents')) throw invalid('/contents', 'is required')
  const config = request.has('generationConfig') ? decodeConfig(elementOf(request, 'generationConfig')) : NO_CONFIG
  const toolConfig = request.has('toolConfig') ? decodeToolConfig(elementOf(request, 'toolConfig')) : NO_TOOL_CONFIG
  const { rest, paths, ...settings } = config
  return {
    instructions: decodeInstructions(request),
    turns: decodeContents(request.list('contents')),
    tools: request.list('tools').flatMap(decodeTool),
    toolChoice: toolConfig.choice,
    parallelToolCalls: null,
    ...settings,
    verbosity: null,
    serviceTier: request.string('serviceTier'),
    endUser: null,
    metadata: null,
    promptCacheKey: null,
    stream: context.stream,
    paths: {
      ...paths,
      ...(toolConfig.choice === null ? {} : { toolChoice: toolConfig.choicePath }),
      ...(request.has('serviceTier') ? { serviceTier: request.pathOf('serviceTier') } : {}),
    },
    ext:
      extensionOf(
        nonEmpty({
          ...request.rest,
          ...(rest === undefined ? {} : { generationConfig: rest }),
          ...(toolConfig.rest === undefined ? {} : { toolConfig: toolConfig.rest }),
        }),
      ).ext ?? {},
  }
}

const NO_TOOL_CONFIG: DecodedToolConfig = { choice: null, choicePath: '', rest: undefined }

const elementOf = (request: Members, name: string) => ({ value: request.get(name), path: request.pathOf(name) })

function nonEmpty(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  return Object.keys(members).length > 0 ? members : undefined
}

const CONTENT = spellingsOf(['role', 'parts'])

/** A text, a part, or a content, whose role means nothing. */
function decodeInstructions(request: Members): TextBlock[] {
  const value = request.get('systemInstruction')
  if (value === undefined) return []
  const path = request.pathOf('systemInstruction')
  if (typeof value === 'string') return [{ type: 'text', text: value, path }]
  const content = new Members(value, path, CONTENT)
  const parts = content.has('parts') ? content.list('parts') : content.rest === undefined ? [] : [{ value, path }]
  return parts.map((part) => {
    const { block } = decodePart(part)
    if (block.type !== 'text') throw invalid(part.path, 'must be a text')
    return block
  })
}
