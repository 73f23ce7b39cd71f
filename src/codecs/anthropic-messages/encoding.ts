import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'
import { ownMembers, PROTOCOL } from './members.ts'

/** One request on its way to the API. */
export class Encoding {
  readonly request: ChatRequest
  readonly target: TargetTraits
  readonly losses: Losses
  /**
   * Whether the client speaks this protocol itself. Its words are then the API's, and what the API refuses it refuses with its
   * own complaint: nothing is regrouped, hoisted or adapted but what another upstream has left in the history.
   */
  readonly isOwn: boolean

  constructor(request: ChatRequest, target: TargetTraits, losses: Losses) {
    this.request = request
    this.target = target
    this.losses = losses
    this.isOwn = ownMembers(request) !== undefined
  }

  /** Where a neutral field stood in the client's body. */
  pathOf(field: string): string {
    return this.request.paths[field] ?? `/${field}`
  }

  /** Declares what other protocols kept beside a node: the API knows none of it. */
  loseForeign(node: { readonly ext?: Extensions }, path: string): void {
    const { ext } = node
    if (ext === undefined) return
    for (const [protocol, members] of Object.entries(ext)) {
      if (protocol !== PROTOCOL) this.losses.unknown(path, members, `means something to ${protocol} alone`)
    }
  }
}
