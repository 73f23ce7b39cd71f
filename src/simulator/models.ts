/** The simulator's models as data, so that the catalog can offer them without a network. */

export interface SimulatorModel {
  readonly id: string
  readonly displayName: string
  readonly description: string
  readonly kind: 'chat' | 'embedding'
  /** `streaming`, `tools`, `parallel_tools`, `reasoning`, `vision`, `json_mode`, `json_schema`, `embeddings`, `dimensions`. */
  readonly capabilities: readonly string[]
  readonly inputModalities: readonly string[]
  readonly outputModalities: readonly string[]
  readonly contextWindow: number
  readonly maxOutput: number
  /** Costs nothing (B12). */
  readonly isUnpaid?: true
}

/** Tokens; a longer prompt is refused with the protocol's own 400. */
export const CONTEXT_TOKENS_MAX = 128_000
/** Tokens; a larger wish is clamped to it, a longer answer is cut with the finish "length". */
export const OUTPUT_TOKENS_MAX = 8192

const CHAT = ['streaming', 'json_mode', 'json_schema']

const chat = (
  name: string,
  displayName: string,
  description: string,
  capabilities: readonly string[] = [],
  inputModalities: readonly string[] = ['text'],
): SimulatorModel => ({
  id: `sim/${name}`,
  displayName,
  description,
  kind: 'chat',
  capabilities: [...CHAT, ...capabilities],
  inputModalities,
  outputModalities: ['text'],
  contextWindow: CONTEXT_TOKENS_MAX,
  maxOutput: OUTPUT_TOKENS_MAX,
})

/** A model of the fault lab. */
const lab = (model: SimulatorModel): SimulatorModel => ({
  ...model,
  id: model.id.replace('sim/', 'test/'),
  isUnpaid: true,
})

export const SIMULATOR_MODELS: readonly SimulatorModel[] = [
  chat('echo', 'Simulator Echo', 'Repeats the last thing the user said.'),
  chat('story', 'Simulator Story', 'Tells the same short story word by word, with accents and an emoji.'),
  chat('think', 'Simulator Think', 'Reasons aloud with a signature before it answers.', ['reasoning']),
  chat('tools', 'Simulator Tools', 'Calls the first declared tool, or the forced one, then quotes its result.', [
    'tools',
    'parallel_tools',
    'reasoning',
  ]),
  chat(
    'vision',
    'Simulator Vision',
    'Says of each image its type, its size in bytes and its width and height.',
    ['vision'],
    ['text', 'image'],
  ),
  lab(chat('echo', 'Test Echo', 'Repeats the last thing the user said, at no cost.')),
  lab(
    chat('tools', 'Test Tools', 'Calls the first declared tool, or the forced one, at no cost.', [
      'tools',
      'parallel_tools',
      'reasoning',
    ]),
  ),
  lab(chat('thinking', 'Test Thinking', 'Reasons aloud before it answers, at no cost.', ['reasoning'])),
  lab(chat('slow', 'Test Slow', 'Tells a story slowly, at no cost.')),
  {
    id: 'sim/embed',
    displayName: 'Simulator Embed',
    description: 'Turns each text into a unit vector that depends on the text only.',
    kind: 'embedding',
    capabilities: ['embeddings', 'dimensions'],
    inputModalities: ['text'],
    outputModalities: ['embedding'],
    contextWindow: CONTEXT_TOKENS_MAX,
    maxOutput: 0,
  },
]

/** The name behind the last slash is what counts, so that `sim/echo`, `mock/echo` and `echo` are one model. */
export const modelName = (model: string): string => model.slice(model.lastIndexOf('/') + 1)
