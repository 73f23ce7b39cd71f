import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import { decodeStream } from './answers.ts'
import { answerContext, clientOf, CLIENTS, type ClientProtocol, STREAMED } from './exchanges.ts'
import { law } from './law.ts'

/**
 * No event waits for another: what the model says reaches the client with the write that it arrived in, at every client of
 * every upstream (design.md section 4: "never buffer a delta").
 */

for (const client of CLIENTS) {
  law(`no delta waits on its way to a client of ${client}`, 13_000, (tell) => {
    let count = 0
    for (const { id, protocol, stream, candidates } of STREAMED) {
      const { events } = decodeStream(protocol, [stream!], candidates)
      const encoder = clientOf(client).openEncoder(answerContext(client, protocol, true))
      const heads = new Map<number, BlockHead>()
      for (const event of events) {
        if (event.type === 'block-start' && event.candidate === 0) heads.set(event.index, event.block)
        const written = encoder.push(event)
        if (!isHeldTo(event, heads, client)) continue
        count++
        if (!says(written, event.text)) tell(id, `${JSON.stringify(event.text)} from ${protocol} gave ${written}`)
      }
    }
    return count
  })
}

type Delta = Extract<ChatEvent, { readonly type: 'block-delta' }>

/** Gemini writes the arguments of a call as one object, so they wait for their end; other surfaces know one candidate only. */
function isHeldTo(event: ChatEvent, heads: ReadonlyMap<number, BlockHead>, client: ClientProtocol): event is Delta {
  if (event.type !== 'block-delta') return false
  const head = heads.get(event.index)
  return head !== undefined && !(client === 'gemini' && head.type === 'tool-call')
}

/** The text stands in what was written as JSON text, or as JSON text inside of JSON text (arguments of a custom tool). */
function says(written: string, text: string): boolean {
  const once = JSON.stringify(text).slice(1, -1)
  return written.includes(once) || written.includes(JSON.stringify(once).slice(1, -1))
}
