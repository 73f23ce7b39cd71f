import { readImageSize } from '#wire/image-size.ts'
import { modelName } from './models.ts'
import type { Part, Prompt, Tool } from './prompt.ts'
import { turnText } from './prompt.ts'
import { valueForSchema } from './schema-value.ts'
import { sealOf } from './seal.ts'
import { STORY } from './story.ts'

/** What a model does, in order: the same steps become a body or a stream in every protocol. */
export type Step =
  | { readonly kind: 'think'; readonly text: string; readonly seal: string }
  | { readonly kind: 'say'; readonly text: string }
  /** `arguments` is JSON text. */
  | { readonly kind: 'call'; readonly name: string; readonly arguments: string }

export type Script = (prompt: Prompt) => Step[]

/** Calls that one answer makes at most when the user asks for parallel ones. */
export const PARALLEL_CALLS_MAX = 4
/** Characters of the user's text that the reasoning quotes. */
const QUOTE_CHARACTERS_MAX = 80

const say = (text: string): Step => ({ kind: 'say', text })
const think = (text: string): Step => ({ kind: 'think', text, seal: sealOf(text) })

/** The last user turn with words in it; an agent's tool results and bare images are passed over. */
export function lastUserText(prompt: Prompt): string {
  const turn = prompt.turns.findLast((candidate) => candidate.role === 'user' && turnText(candidate).trim())
  return turnText(turn)
}

const echo: Script = (prompt) => [say(lastUserText(prompt) || 'There is nothing to echo.')]

const story: Script = () => [say(STORY)]

function reason(prompt: Prompt, conclusion: string): Step[] {
  if (prompt.reasoning === 'refused') return []
  const quote = lastUserText(prompt).slice(0, QUOTE_CHARACTERS_MAX).toWellFormed()
  return [think(`The user wrote “${quote}”. I weigh it word by word – ${conclusion}.`)]
}

const thinkFirst: Script = (prompt) => {
  const text = lastUserText(prompt)
  return [
    ...reason(prompt, 'a short answer will do'),
    say(`I thought about it, and my answer is: ${text || 'nothing'}`),
  ]
}

const callTools: Script = (prompt) => {
  const reasoning = prompt.reasoning === 'asked' ? reason(prompt, 'a tool knows more than I do') : []
  const results = lastResults(prompt)
  if (results.length) return [...reasoning, say(`The tool answered: ${results.join(' | ')}`)]
  if (!prompt.tools.length) return [...reasoning, say('No tool was declared, so I have nothing to call.')]
  if (prompt.toolChoice.mode === 'none') return [...reasoning, say('I was told not to call a tool.')]
  return [...reasoning, ...chooseTools(prompt).map((tool) => callOf(tool, lastUserText(prompt)))]
}

/** Results that came after the last thing the assistant did. */
function lastResults(prompt: Prompt): string[] {
  const start = prompt.turns.findLastIndex((turn) => turn.role === 'assistant') + 1
  const parts = prompt.turns.slice(start).flatMap((turn) => turn.parts)
  return parts.flatMap((part) => (part.type === 'result' ? [part.text] : []))
}

function chooseTools(prompt: Prompt): Tool[] {
  const { tools, toolChoice } = prompt
  const first = toolChoice.mode === 'named' ? tools.find((tool) => tool.name === toolChoice.name) : tools[0]
  const chosen = first ?? tools[0]!
  if (!prompt.parallelCalls || !/parallel/i.test(lastUserText(prompt))) return [chosen]
  if (toolChoice.mode === 'named' || tools.length === 1) return [chosen, chosen]
  return tools.slice(0, PARALLEL_CALLS_MAX)
}

function callOf(tool: Tool, text: string): Step {
  const value = valueForSchema({ type: 'object', ...tool.schema }, text)
  return { kind: 'call', name: tool.name, arguments: JSON.stringify(value) }
}

const describeImages: Script = (prompt) => {
  const turns = prompt.turns.filter((turn) => turn.role === 'user')
  const seen = turns.findLast((turn) => turn.parts.some((part) => part.type === 'file'))
  const files = (seen?.parts ?? []).filter((part) => part.type === 'file')
  if (!files.length) return [say('I see no image.')]
  return [say(files.map((file, index) => `Image ${index + 1}: ${describe(file)}.`).join('\n'))]
}

function describe(file: Extract<Part, { type: 'file' }>): string {
  if (!file.bytes) return `${file.mediaType} at a URL that I do not open (${file.url})`
  const size = readImageSize(file.bytes)
  const pixels = size ? `${size.width} x ${size.height} pixels` : 'unknown width and height'
  return `${file.mediaType}, ${file.bytes.length} bytes, ${pixels}`
}

const SCRIPTS: Readonly<Record<string, Script>> = {
  echo,
  story,
  think: thinkFirst,
  thinking: thinkFirst,
  slow: story,
  tools: callTools,
  vision: describeImages,
}

/** The script of a chat model; a fault model tells the story until its fault happens. */
export function scriptOf(model: string): Script | undefined {
  const name = modelName(model)
  return name.startsWith('fault-') ? story : Object.hasOwn(SCRIPTS, name) ? SCRIPTS[name] : undefined
}
