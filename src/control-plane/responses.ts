import { z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import type { Answer, Call, KeyActor } from './call.ts'
import { queryFlag, queryInteger, validate } from './validate.ts'

/** Stored responses of the Responses API, as OpenAI serves them (R3). Another account's response does not exist. */

export const INPUT_ITEMS_DEFAULT = 20
export const INPUT_ITEMS_MAX = 100

const READ_QUERY = z.object({ stream: queryFlag.optional() })

const INPUT_ITEMS_QUERY = z.object({
  limit: queryInteger(1, INPUT_ITEMS_MAX).default(INPUT_ITEMS_DEFAULT),
  order: z.enum(['asc', 'desc'], 'expected asc or desc').default('desc'),
  after: z.string().min(1).optional(),
})

/** `GET /v1/responses/{id}`: the very text that was stored. */
export async function readResponse(call: Call<KeyActor>): Promise<Answer> {
  if (validate(READ_QUERY, call.query).stream === true) {
    throw new GatewayError('unsupported_parameter', 'A stored response is not streamed again; leave stream out.', {
      param: 'stream',
    })
  }
  const answer = await call.deps.responses.find(accountOf(call), idOf(call))
  if (answer === null) throw missing()
  return { headers: { 'content-type': 'application/json; charset=utf-8' }, body: answer.response }
}

/** `DELETE /v1/responses/{id}`. */
export async function removeResponse(call: Call<KeyActor>): Promise<Answer> {
  if (!(await call.deps.responses.remove(accountOf(call), idOf(call)))) throw missing()
  return { body: { id: idOf(call), object: 'response', deleted: true } }
}

/** `GET /v1/responses/{id}/input_items`: newest first unless `order` says otherwise; `after` is the last id of the page before. */
export async function listInputItems(call: Call<KeyActor>): Promise<Answer> {
  const { limit, order, after } = validate(INPUT_ITEMS_QUERY, call.query)
  const items = await call.deps.responses.listInput(accountOf(call), idOf(call))
  if (items === null) throw missing()
  const ordered = order === 'asc' ? items : items.toReversed()
  const start = after === undefined ? 0 : ordered.findIndex((item) => idIn(item) === after) + 1
  if (after !== undefined && start === 0) {
    throw new GatewayError('invalid_parameter', "Invalid value for 'after': the response has no input item with it.", {
      param: 'after',
    })
  }
  const data = ordered.slice(start, start + limit)
  return {
    body: {
      object: 'list',
      data,
      first_id: idIn(data[0]),
      last_id: idIn(data.at(-1)),
      has_more: start + limit < ordered.length,
    },
  }
}

/** `POST /v1/responses/{id}/cancel`: only a background response could be cancelled. */
export function cancelResponse(): never {
  throw new GatewayError(
    'invalid_request',
    'Only a background response can be cancelled, and background responses are not kept here; close the connection instead.',
  )
}

const accountOf = (call: Call<KeyActor>): string => call.actor.caller.account.id
const idOf = (call: Call<KeyActor>): string => call.params['id']!
const idIn = (item: unknown): unknown => (item as { id?: unknown } | null | undefined)?.id ?? null

const missing = (): GatewayError =>
  new GatewayError(
    'response_not_found',
    'There is no response with this id: it was not stored, was deleted, or has expired.',
    { param: 'response_id' },
  )
