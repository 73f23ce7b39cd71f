import { Refusal, isFields, readBase64, readCount, readFields, readFieldsList, readText, readTexts } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Part, Prompt, Tool, ToolChoice, Turn } from './prompt.ts'

/** Google's JSON takes each name in camel case and, as its own documents often write it, in snake case. */
const field = (fields: Fields, name: string): unknown =>
  fields[name] ?? fields[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]

/** Reads a generateContent body. Throws Refusal 400. */
export function readGemini(body: Fields, model: string): Prompt {
  const contents = readFieldsList(body.contents, 'contents')
  if (!contents.length) throw new Refusal(400, '* GenerateContentRequest.contents: contents is not specified')
  const config = readFields(field(body, 'generationConfig'), 'generationConfig')
  const instruction = readFields(field(body, 'systemInstruction'), 'systemInstruction')
  const system = readParts(instruction.parts, 'systemInstruction.parts')
  return {
    model,
    turns: [
      ...(system.length ? [{ role: 'system' as const, parts: system }] : []),
      ...contents.map((content, index) => readContent(content, `contents[${index}]`)),
    ],
    tools: readFieldsList(body.tools, 'tools').flatMap(readTools),
    toolChoice: readChoice(readFields(field(body, 'toolConfig'), 'toolConfig')),
    parallelCalls: true,
    reasoning: readThinking(readFields(field(config, 'thinkingConfig'), 'generationConfig.thinkingConfig')),
    json: readMimeType(config),
    stopSequences: readTexts(field(config, 'stopSequences'), 'generationConfig.stopSequences'),
    outputTokensMax: readCount(field(config, 'maxOutputTokens'), 'generationConfig.maxOutputTokens'),
  }
}

function readContent(content: Fields, name: string): Turn {
  const role = content.role ?? 'user'
  if (role !== 'user' && role !== 'model' && role !== 'function') {
    throw new Refusal(400, 'Please use a valid role: user, model.')
  }
  return { role: role === 'model' ? 'assistant' : 'user', parts: readParts(content.parts, `${name}.parts`) }
}

/** Reads the parts of a content, also of one that is to be embedded. */
export const readParts = (parts: unknown, name: string): Part[] =>
  (isFields(parts) ? [parts] : readFieldsList(parts, name)).flatMap((part, index) =>
    readPart(part, `${name}[${index}]`),
  )

function readPart(part: Fields, name: string): Part[] {
  const signature = field(part, 'thoughtSignature')
  const seal = typeof signature === 'string' ? signature : null
  if (part.thought === true) return [{ type: 'think', text: readText(part.text, name), seal }]
  // A signature travels on the part after the thoughts, so here it stands for reasoning whose text is elsewhere.
  const sealed: Part[] = seal ? [{ type: 'think', text: '', seal }] : []
  return [...sealed, ...readPayload(part, name)]
}

function readPayload(part: Fields, name: string): Part[] {
  const inline = field(part, 'inlineData')
  if (isFields(inline)) {
    const bytes = readBase64(inline.data, `${name}.inlineData.data`)
    return [{ type: 'file', mediaType: readMediaType(inline, name), bytes, url: null }]
  }
  const file = field(part, 'fileData')
  if (isFields(file)) {
    const url = readText(field(file, 'fileUri'), `${name}.fileData.fileUri`)
    return [{ type: 'file', mediaType: readMediaType(file, name), bytes: null, url }]
  }
  const call = field(part, 'functionCall')
  if (isFields(call)) {
    return [{ type: 'call', name: readText(call.name, name), arguments: JSON.stringify(call.args ?? {}) }]
  }
  const result = field(part, 'functionResponse')
  if (isFields(result)) return [{ type: 'result', text: readResponse(readFields(result.response, name)) }]
  return [{ type: 'text', text: readText(part.text, `${name}.text`) }]
}

const readMediaType = (data: Fields, name: string): string => readText(field(data, 'mimeType'), name) || 'a file'

/** `output`, `result` or `error` by itself, as clients wrap a plain text; anything else as JSON. */
function readResponse(response: Fields): string {
  const entries = Object.entries(response)
  const [only] = entries
  return entries.length === 1 && typeof only?.[1] === 'string' ? only[1] : JSON.stringify(response)
}

const readTools = (tool: Fields): Tool[] =>
  readFieldsList(field(tool, 'functionDeclarations'), 'tools.functionDeclarations').map((declared) => ({
    name: readText(declared.name, 'tools.functionDeclarations.name'),
    schema: readFields(declared.parametersJsonSchema ?? declared.parameters, 'tools.functionDeclarations.parameters'),
  }))

function readChoice(toolConfig: Fields): ToolChoice {
  const config = readFields(field(toolConfig, 'functionCallingConfig'), 'toolConfig.functionCallingConfig')
  const names = readTexts(field(config, 'allowedFunctionNames'), 'toolConfig.allowedFunctionNames')
  if (config.mode === 'NONE') return { mode: 'none' }
  if (config.mode !== 'ANY') return { mode: 'auto' }
  return names[0] ? { mode: 'named', name: names[0] } : { mode: 'any' }
}

function readThinking(config: Fields): Prompt['reasoning'] {
  if (field(config, 'thinkingBudget') === 0) return 'refused'
  return Object.keys(config).length ? 'asked' : 'free'
}

function readMimeType(config: Fields): Prompt['json'] {
  const schema = field(config, 'responseJsonSchema') ?? field(config, 'responseSchema')
  if (isFields(schema)) return { schema }
  return field(config, 'responseMimeType') === 'application/json' ? { schema: null } : null
}
