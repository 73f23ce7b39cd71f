import { GatewayError } from '#base/errors.ts'
import { isObject, type Members } from './members.ts'

/** The first version of the API without sampling values, documents of the assistant and citations of the user (R88). */
const WITHOUT_SAMPLING = '2026-10-21'
const VERSION = /^\d{4}-\d{2}-\d{2}$/

/** Whether this version of the API refuses `temperature`, `top_p` and `top_k`, even at their defaults. No version is the oldest. */
export function refusesSampling(version: string | undefined): boolean {
  return version !== undefined && VERSION.test(version) && version >= WITHOUT_SAMPLING
}

const REMOVED = ['temperature', 'top_p', 'top_k']

/**
 * Refuses what the API of that version refuses, so that a client hears the same from every upstream. Throws GatewayError (400).
 * The shapes of everything else are the decoder's to judge.
 */
export function refuseRemoved(body: Members): void {
  for (const name of REMOVED) if ((body[name] ?? null) !== null) throw removed(name)
  const { messages } = body
  if (!Array.isArray(messages)) return
  for (const [index, message] of messages.entries()) {
    if (!isObject(message) || !Array.isArray(message['content'])) continue
    for (const [at, block] of message['content'].entries())
      if (isObject(block)) refuseBlock(block, message['role'], `messages.${index}.content.${at}`)
  }
}

function refuseBlock({ type, citations }: Members, role: unknown, param: string): void {
  if (role === 'assistant' && type === 'document') throw removed(param)
  const hasCitations = Array.isArray(citations) ? citations.length > 0 : isObject(citations)
  if (role === 'user' && type === 'text' && hasCitations) throw removed(`${param}.citations`)
}

/** In the API's own words for a member that it does not have. */
function removed(param: string): GatewayError {
  return new GatewayError('invalid_parameter', `${param}: Extra inputs are not permitted`, { param })
}
