import type { Protocol, Surface } from '#base/protocols.ts'
import type { AnswerLosses } from '#codecs/answer-losses.ts'
import type { Loss } from '#ir/extensions.ts'
import type { RequestRow, Warning } from '#observe/request-row.ts'

/** Losses of one request that are kept in its row and told in its report; more are counted. */
export const REPORTED_MAX = 256
/** The same as JSON: a row is kept for months. */
export const REPORT_BYTES_MAX = 32 * 1024
/** More warnings than these are counted and not written: a header is no log. */
export const WARNINGS_MAX = 16
const PATH_CHARACTERS_MAX = 256
const REASON_CHARACTERS_MAX = 256
const HEADER_TEXT_CHARACTERS_MAX = 120

/** Everything that one request and its answer lost between client and upstream (B2). It grows while the answer passes. */
export class Report {
  /** What was given up before any target was tried. */
  private readonly planned: readonly Loss[]
  private request: readonly Loss[] = NONE
  private lowered: Loss | null = null
  private missed: Loss | null = null
  private answer: AnswerLosses | null = null
  private upstream: Protocol | null = null
  private surface: Surface | null = null

  constructor(planned: readonly Loss[] = NONE) {
    this.planned = planned
  }

  /** The output limit that the balance pays for, where the client set none (R94). */
  limit(surface: Surface, upstream: Protocol, outputTokensMax: number): void {
    this.upstream = upstream
    const reason = `lowered to ${outputTokensMax} tokens by the balance`
    this.lowered = { path: LIMIT_PATHS[surface], action: 'narrowed', reason, isSevere: false }
  }

  /** Something that holds for the whole request, whatever target answers it. */
  miss(loss: Loss): void {
    this.missed = loss
  }

  /** Gives back what it is now, for an answer that is kept while another target is tried. */
  mark(): () => void {
    const { request, answer, upstream, surface } = this
    return () => Object.assign(this, { request, answer, upstream, surface })
  }

  /** What another report of the same request says of the attempt that answered. */
  adopt({ request, lowered, missed, answer, upstream, surface }: Report): void {
    Object.assign(this, { request, lowered, missed, answer, upstream, surface })
  }

  /** Another target is tried: what the one before lost does not count. */
  begin(): void {
    this.request = NONE
    this.answer = null
  }

  /** What the request lost, and where what its answer loses will be found; null when such an answer tells nothing of it. */
  declare(surface: Surface, upstream: Protocol, request: readonly Loss[], answer: AnswerLosses | null): void {
    this.surface = surface
    this.upstream = upstream
    this.request = request
    this.answer = answer
  }

  /** What the operator's rules changed in the upstream's body. */
  rule(upstream: Protocol, losses: readonly Loss[]): void {
    if (losses.length === 0) return
    this.upstream = upstream
    this.request = [...this.request, ...losses]
  }

  /** What `x-gateway-warnings` says: one text per loss (R81). With `isWhole` also of what is known of the answer. */
  headerTexts(isWhole: boolean): string[] {
    const answer = isWhole ? this.answer : null
    if (!this.hasAsked() && !answer?.list.length) return EMPTY
    const losses = [...this.asked(), ...(answer?.list ?? NONE)]
    const told = losses.slice(0, WARNINGS_MAX).map(headerTextOf)
    const more = losses.length - told.length + (answer?.more ?? 0)
    return more > 0 ? [...told, `more=${more}`] : told
  }

  /** All of it, within the bounds: what the row keeps. */
  kept(): Pick<RequestRow, 'warnings' | 'warnings_more'> {
    const { answer } = this
    if (!this.hasAsked() && !answer?.list.length) return NOTHING
    const all = [
      ...this.asked().map((loss) => warningOf(loss, this.upstream)),
      ...(answer?.list ?? NONE).map((loss) => warningOf(loss, this.surface)),
    ]
    const warnings: Warning[] = []
    let bytes = 0
    for (const warning of all) {
      bytes += Buffer.byteLength(JSON.stringify(warning)) + 1
      if (warnings.length === REPORTED_MAX || bytes > REPORT_BYTES_MAX) break
      warnings.push(warning)
    }
    return { warnings, warnings_more: all.length - warnings.length + (answer?.more ?? 0) }
  }

  /** The value of `trivium` in a body, as JSON. */
  json(): string {
    const { warnings, warnings_more: more } = this.kept()
    return JSON.stringify(more > 0 ? { warnings, more } : { warnings })
  }

  private hasAsked(): boolean {
    return this.lowered !== null || this.missed !== null || this.request.length > 0 || this.planned.length > 0
  }

  private asked(): readonly Loss[] {
    const { planned, lowered, missed } = this
    if (planned.length === 0 && lowered === null && missed === null) return this.request
    return [...planned, lowered, missed, ...this.request].filter((loss) => loss !== null)
  }
}

const NONE: readonly Loss[] = []
const EMPTY: string[] = []
const NOTHING: Pick<RequestRow, 'warnings' | 'warnings_more'> = { warnings: [], warnings_more: 0 }

const LIMIT_PATHS: Readonly<Record<Surface, string>> = {
  'openai-chat': '/max_tokens',
  'openai-responses': '/max_output_tokens',
  'openai-embeddings': '',
  'anthropic-messages': '/max_tokens',
  gemini: '/generationConfig/maxOutputTokens',
}

const ACTIONS: Readonly<Record<Loss['action'], string>> = {
  dropped: 'drop',
  rewritten: 'rewrite',
  emulated: 'emulate',
  narrowed: 'narrow',
  noticed: 'notice',
}

function warningOf({ path, action, reason }: Loss, target: string | null): Warning {
  return { path: path.slice(0, PATH_CHARACTERS_MAX), action, reason: reason.slice(0, REASON_CHARACTERS_MAX), target }
}

/** `param=temperature;action=drop;reason=...` */
function headerTextOf({ path, action, reason }: Loss): string {
  const param = headerText(path.slice(1).replaceAll('/', '.'))
  return `param=${param};action=${ACTIONS[action]};reason=${headerText(reason)}`
}

/** Visible ASCII without the list's own separators; anything else could end the header or start another warning. */
function headerText(text: string): string {
  return text.slice(0, HEADER_TEXT_CHARACTERS_MAX).replace(/[^\x20-\x7e]|[,;]/g, '_')
}
