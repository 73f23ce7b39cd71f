import type { Citation } from '#ir/blocks.ts'
import { thinkingText } from './decode-content.ts'
import { type CandidateReader, readCallDelta, readFunctionCall } from './candidate-reader.ts'
import { isRecord, type Members, PROTOCOL, stringOrNull } from './members.ts'
import { sourceOfUrl, typeOfData } from './media.ts'
import { detailsText } from './reasoning-details.ts'
import type { ChatEvent } from '#ir/chat-event.ts'

/** Where what belongs to no block goes. */
interface Answer {
  events: ChatEvent[]
  failWith(error: unknown): void
}

const CHOICE_KNOWN = new Set([
  'index',
  'delta',
  'message',
  'finish_reason',
  'finish_details',
  'logprobs',
  'error',
  'text',
])

/** Reads one choice of a chunk or of a whole answer: reasoning first, then what is said, then calls. */
export function readChoice(reader: CandidateReader, answer: Answer, choice: Members, isWhole: boolean): void {
  const { error } = choice
  if (error !== undefined && error !== null) {
    answer.failWith(error)
    return
  }
  const message = isWhole ? choice['message'] : (choice['delta'] ?? choice['message'])
  if (isRecord(message)) readMessage(reader, answer, choice, message, isWhole)
  const reason = finishOf(choice)
  if (reason === null || (reason === '' && !isWhole)) return
  reader.raw = reason
  reader.isFinished = true
  // The sequence that was found, as vLLM tells it; a number is that of a token.
  reader.stopSequence = stringOrNull(choice['stop_reason']) ?? reader.stopSequence
  const rest = restOf(choice, CHOICE_KNOWN, true)
  if (rest) tell(answer, choice, rest)
}

/** OpenAI's first models that saw said it in `finish_details`. */
function finishOf(choice: Members): string | null {
  const reason =
    choice['finish_reason'] ?? (isRecord(choice['finish_details']) ? choice['finish_details']['type'] : null)
  return reason === null || reason === undefined ? null : String(reason)
}

/** What a message may tell of, by the names of its members: most deltas have one or two. */
const [CONTENT, REFUSAL, REASONING, CALLS, MEDIA, SOURCES, REST] = [1, 2, 4, 8, 16, 32, 64] as const
const TOPICS: ReadonlyMap<string, number> = new Map([
  ['role', 0],
  ['content', CONTENT],
  ['refusal', REFUSAL],
  ['reasoning_content', REASONING],
  ['reasoning', REASONING],
  ['reasoning_text', REASONING],
  ['reasoning_details', REASONING],
  ['reasoning_opaque', REASONING],
  ['thinking', REASONING],
  ['content_blocks', REASONING],
  ['tool_calls', CALLS],
  ['function_call', CALLS],
  ['audio', MEDIA],
  ['images', MEDIA],
  ['annotations', SOURCES],
])

function topicsOf(message: Members): number {
  let topics = 0
  for (const name in message) topics |= TOPICS.get(name) ?? REST
  return topics
}

function readMessage(
  reader: CandidateReader,
  answer: Answer,
  choice: Members,
  message: Members,
  isWhole: boolean,
): void {
  const topics = topicsOf(message)
  const tokens = isRecord(choice['logprobs']) ? choice['logprobs'] : null
  if (topics & REASONING) readReasoning(reader, message)
  if (tokens) addTokens(reader, tokens['reasoning_content'])
  // Sources that come before their text belong to it; those of a whole message stand behind it.
  if (topics & SOURCES && !isWhole) readAnnotations(reader, answer, choice, message['annotations'])
  if (topics & CONTENT) readContent(reader, message['content'])
  if (tokens) addTokens(reader, tokens['content'])
  if (topics & SOURCES && isWhole) readAnnotations(reader, answer, choice, message['annotations'])
  if (topics & REFUSAL) addText(reader, 'refusal', message['refusal'])
  if (tokens) addTokens(reader, tokens['refusal'])
  if (topics & CALLS) readCalls(reader, message, isWhole)
  if (topics & MEDIA) readMedia(reader, message)
  if (topics & REST) {
    const rest = restOf(message, TOPICS, isWhole)
    if (rest) tell(answer, choice, { message: rest })
  }
}

function addText(reader: CandidateReader, type: 'text' | 'refusal' | 'reasoning', text: unknown): void {
  if (typeof text === 'string' && text !== '') reader.addText(type, text)
}

function readContent(reader: CandidateReader, content: unknown): void {
  if (Array.isArray(content)) for (const part of content) readPart(reader, part)
  else addText(reader, 'text', content)
}

function readCalls(reader: CandidateReader, message: Members, isWhole: boolean): void {
  const { tool_calls: calls, function_call: call } = message
  for (const entry of Array.isArray(calls) ? calls : NOTHING) {
    const delta = readCallDelta(entry, isWhole)
    if (delta) reader.addCall(delta)
  }
  if (isRecord(call)) reader.addCall(readFunctionCall(call))
}

function readMedia(reader: CandidateReader, { audio, images }: Members): void {
  if (isRecord(audio)) readAudio(reader, audio)
  for (const image of Array.isArray(images) ? images : NOTHING) readImage(reader, image)
}

/** The spellings of one text: who says it in several ways says the same. */
function readReasoning(reader: CandidateReader, message: Members): void {
  const { reasoning_details: details, reasoning_opaque: opaque } = message
  const entries: readonly unknown[] = Array.isArray(details) ? details : NOTHING
  const text =
    textAt(message, 'reasoning_content') ||
    textAt(message, 'reasoning') ||
    textAt(message, 'reasoning_text') ||
    (entries.length > 0 ? detailsText(entries) : '') ||
    textAt(message, 'thinking') ||
    (Array.isArray(message['content_blocks']) ? thinkingOfBlocks(message['content_blocks']) : '')
  const [first] = entries
  if (text !== '') reader.addText('reasoning', text, isRecord(first) && first['type'] === 'reasoning.summary')
  if (entries.length > 0) reader.addDetails(entries)
  // Copilot's sealed reasoning, which its next request wants back beside the text.
  if (typeof opaque === 'string' && opaque !== '') reader.addSealed('reasoning_opaque', opaque)
}

const NOTHING: readonly unknown[] = []

function textAt(message: Members, name: string): string {
  const value = message[name]
  return typeof value === 'string' ? value : ''
}

/** Databricks' form: Anthropic's blocks and deltas within a chat message. */
function thinkingOfBlocks(blocks: readonly unknown[]): string {
  return blocks
    .map((block) => {
      if (!isRecord(block)) return ''
      const told = block['type'] === 'thinking' ? block : block['delta']
      return isRecord(told) ? textAt(told, 'thinking') : ''
    })
    .join('')
}

/** A part of a content that is a list: text and Mistral's thinking, or an image. */
function readPart(reader: CandidateReader, part: unknown): void {
  if (!isRecord(part)) {
    addText(reader, 'text', part)
    return
  }
  switch (part['type']) {
    case 'text':
    case 'output_text':
      addText(reader, 'text', part['text'])
      return
    case 'thinking':
      addText(reader, 'reasoning', thinkingText(part))
      return
    case 'refusal':
      addText(reader, 'refusal', part['refusal'])
      return
    case 'image_url':
      readImage(reader, part)
      return
    default:
      reader.addWhole({ type: 'opaque', issuer: PROTOCOL, value: { content: [part] } })
  }
}

/** OpenRouter's images: `{type, image_url: {url}}` with a data URL. */
function readImage(reader: CandidateReader, image: unknown): void {
  const address = isRecord(image) ? image['image_url'] : null
  const url = isRecord(address) ? address['url'] : address
  if (typeof url !== 'string') return
  const source = sourceOfUrl(url)
  if (source.type !== 'base64') {
    reader.addWhole({ type: 'opaque', issuer: PROTOCOL, value: { images: [image] } })
    return
  }
  const { data, mimeType } = source
  reader.addWhole({ type: 'media', kind: 'image', mimeType: mimeType ?? typeOfData('image', data), data })
}

/** `{id?, data?, transcript?, expires_at?}`, whole or in pieces: the sound is media, what is told of it is the host's own. */
function readAudio(reader: CandidateReader, audio: Members): void {
  const { data, ...told } = audio
  const rest = restOf(told, NO_NAMES, true)
  if (rest) reader.addWhole({ type: 'opaque', issuer: PROTOCOL, value: { audio: rest } })
  if (typeof data === 'string' && data !== '')
    reader.addWhole({ type: 'media', kind: 'audio', mimeType: typeOfData('audio', data), data })
}

const NO_NAMES: ReadonlySet<string> = new Set()

function readAnnotations(reader: CandidateReader, answer: Answer, choice: Members, annotations: unknown): void {
  const others: unknown[] = []
  for (const annotation of Array.isArray(annotations) ? annotations : NOTHING) {
    const citation = readCitation(annotation)
    if (citation) reader.addCitation(citation)
    else others.push(annotation)
  }
  if (others.length > 0) tell(answer, choice, { message: { annotations: others } })
}

/** `{type: 'url_citation', url_citation: {url, title, start_index, end_index, content?}}`. */
function readCitation(annotation: unknown): Citation | null {
  const told = isRecord(annotation) && annotation['type'] === 'url_citation' ? annotation['url_citation'] : null
  if (!isRecord(told)) return null
  const { url, title, content, start_index: start, end_index: end } = told
  // Hosts that do not know the place say that it is nowhere.
  const hasPlace = typeof start === 'number' && typeof end === 'number' && end > start
  return {
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof content === 'string' ? { citedText: content } : {}),
    ...(hasPlace ? { startIndex: start, endIndex: end } : {}),
    native: { issuer: PROTOCOL, value: annotation },
  }
}

/** Logprobs are `{content, refusal, reasoning_content}`, each the tokens of one text. */
function addTokens(reader: CandidateReader, tokens: unknown): void {
  if (Array.isArray(tokens) && tokens.length > 0) reader.addLogprobs(tokens)
}

/** What only the host knows of a choice, in the place where its protocol says it. */
function tell(answer: Answer, choice: Members, value: Members): void {
  const index = choice['index'] ?? 0
  answer.events.push({ type: 'opaque', issuer: PROTOCOL, value: { choices: [{ index, ...value }] } })
}

/** Members that have no neutral form; of a chunk only objects, because words repeat in each. Null is absent. */
function restOf(members: Members, known: { has(name: string): boolean }, takesWords: boolean): Members | null {
  let rest: Record<string, unknown> | null = null
  for (const name in members) {
    if (known.has(name)) continue
    const value = members[name]
    if (value === null || value === '' || (!takesWords && typeof value !== 'object')) continue
    rest ??= {}
    rest[name] = value
  }
  return rest
}
