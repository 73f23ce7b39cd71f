import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'

type Body = Readonly<Record<string, unknown>>

/** A Responses request with all that it refers to in place, and what is to be kept of it. */
export interface Conversation {
  /** The body as a stateless upstream needs it: the earlier turns stand before the new ones. */
  readonly body: Body
  /** Keeps the answer, so that a later request can continue it; null when the client asked not to (`store: false`). */
  readonly keep: ((response: unknown) => Promise<void>) | null
}

/**
 * Puts the state of the Responses API into the request (R3): what `previous_response_id` and `item_reference` name is kept
 * by the gateway, because the upstream of a translated request keeps nothing. Throws 404 `previous_response_not_found`,
 * 409 `responses.state_route_unavailable` for what an upstream keeps, and 400 `unsupported_parameter` for `background` and
 * `conversation`.
 */
export async function readConversation(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  target: Target,
  body: Body,
): Promise<Conversation> {
  refuseForeignState(body)
  const accountId = caller.account.id
  const previousId = typeof body['previous_response_id'] === 'string' ? body['previous_response_id'] : null
  const previous = previousId === null ? null : await gateway.responses.load(accountId, previousId)
  if (previousId !== null && previous === null) throw await cannotContinue(gateway, accountId, previousId)
  const own = await withReferences(gateway, accountId, body['input'])
  const input = previous ? [...previous.transcript, ...itemsOf(own)] : own
  const responseId = `resp_${exchange.id.slice(exchange.id.indexOf('_') + 1)}`
  const keep = async (response: unknown): Promise<void> => {
    try {
      const saved = await gateway.responses.save({
        id: responseId,
        accountId,
        createdAtMs: exchange.startedMs,
        previousId,
        model: target.route.model.id,
        backendId: target.route.backend.id,
        input: body['input'] as string | readonly unknown[],
        response: JSON.stringify(response),
      })
      if (saved !== 'stored') gateway.log.warn({ requestId: exchange.id, saved }, 'response was not kept')
    } catch (error) {
      // The answer is whole and paid for: that it cannot be continued is no reason to lose it.
      gateway.log.error({ requestId: exchange.id, err: error }, 'response could not be kept')
    }
  }
  return { body: input === body['input'] ? body : { ...body, input }, keep: body['store'] === false ? null : keep }
}

/** What may be the id of an upstream's response; nothing else is worth a query. */
const UPSTREAM_ID = /^[\w.:-]{1,200}$/

/**
 * Why there is nothing to continue: an upstream that speaks Responses itself keeps what passed through to it, and this
 * request goes elsewhere; or nobody ever kept it.
 */
async function cannotContinue(gateway: Gateway, accountId: string, previousId: string): Promise<GatewayError> {
  const details = { param: 'previous_response_id' }
  const row = UPSTREAM_ID.test(previousId) ? await gateway.requests.find(previousId, accountId) : undefined
  if (row?.response_id === previousId && row.protocol === 'openai-responses' && row.adapter === 'passthrough') {
    const message = `The response "${previousId}" is kept by an upstream that does not serve this request. Send the whole input without previous_response_id.`
    return new GatewayError('responses.state_route_unavailable', message, details)
  }
  const message = `There is no response "${previousId}" that could be continued.`
  return new GatewayError('previous_response_not_found', message, details)
}

function refuseForeignState(body: Body): void {
  for (const member of ['background', 'conversation']) {
    const value = body[member]
    if (value === undefined || value === null || value === false) continue
    const message = `"${member}" needs an upstream that keeps state of its own; this model has none.`
    throw new GatewayError('unsupported_parameter', message, { param: member })
  }
}

const itemsOf = (input: unknown): readonly unknown[] =>
  Array.isArray(input) ? input : [{ type: 'message', role: 'user', content: input }]

/** The items with every `item_reference` replaced by what it names; one that names nothing of ours stays. */
async function withReferences(gateway: Gateway, accountId: string, input: unknown): Promise<unknown> {
  if (!Array.isArray(input)) return input
  const ids = input.map(referenceOf).filter((id) => id !== null)
  if (ids.length === 0) return input
  const found = await gateway.responses.findItems(accountId, ids)
  return input.map((item) => found.get(referenceOf(item) ?? '') ?? item)
}

function referenceOf(item: unknown): string | null {
  if (item === null || typeof item !== 'object') return null
  const { type, id } = item as { readonly type?: unknown; readonly id?: unknown }
  return type === 'item_reference' && typeof id === 'string' ? id : null
}
