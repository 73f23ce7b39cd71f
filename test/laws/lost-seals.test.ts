import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before } from 'node:test'
import { SealStash } from '#data-plane/7-call/seal-stash.ts'
import { SealWatch } from '#data-plane/7-call/seal-watch.ts'
import { Losses } from '#ir/extensions.ts'
import { createSealState } from '#seal-state/seal-state.ts'
import type { SealArchive } from '#seal-state/types.ts'
import { openStore, type Store } from '#store/store.ts'
import { withoutSeals } from './bare.ts'
import { ABSENCE } from './corpus.ts'
import { nextRequest } from './echo.ts'
import { answerContext, clientOf, CLIENTS, type ClientProtocol, traitsFor, upstreamOf } from './exchanges.ts'
import { law } from './law.ts'
import { stepsOfRequest } from './seals.ts'
import { asKept, compare, isCall, type Signed, SIGNED } from './signed.ts'

/**
 * Seals come back to their issuer byte for byte and at their place though the client keeps none of them (B3): the gateway
 * does, and the store behind it, for the answers that called a tool. Every case is read by a stash that knows nothing, as
 * after a restart. Held against the answers of `signed.ts`.
 */

const folder = mkdtempSync(path.join(tmpdir(), 'trivium-law-'))
let store: Store
let archive: SealArchive
before(async () => {
  if (ABSENCE) return
  store = await openStore({ kind: 'sqlite', file: path.join(folder, 'trivium.db') })
  archive = createSealState(store, 'secret')
})
after(async () => {
  await store?.close()
  rmSync(folder, { recursive: true, force: true })
})

const stashOf = (): SealStash => new SealStash({ archive, mode: () => 'store' })

/** What arrives at the issuer when a client of this protocol gives back the bare turn. */
async function arrivedThrough(client: ClientProtocol, signed: Signed, isStreamed: boolean, account: string) {
  const { exchange, events } = signed
  const { protocol, model } = exchange
  const scope = { accountId: account, backendId: 'backend', credential: 'credential' }
  const { id } = answerContext(client, protocol, isStreamed)
  const watch = new SealWatch(stashOf(), scope, clientOf(client).openCallIds(id))
  for (const event of events) watch.see(event)
  watch.done()
  await archive.flush()
  const echoed = withoutSeals(client, nextRequest(client, protocol, events, isStreamed))
  const read = await stashOf().restore(scope, clientOf(client).decodeRequest(echoed, { stream: false }))
  const { body } = upstreamOf(protocol).encodeRequest(read, traitsFor(protocol, model), new Losses())
  return stepsOfRequest(protocol, JSON.parse(JSON.stringify(body)))
}

const WAYS = CLIENTS.flatMap((client) => [true, false].map((isStreamed) => ({ client, isStreamed })))

for (const { client, isStreamed } of WAYS) {
  law(
    `seals come back though a client of ${client} drops them, ${isStreamed ? 'streamed' : 'whole'}`,
    90,
    async (tell) => {
      let count = 0
      for (const signed of SIGNED) {
        const { exchange, steps } = signed
        // What speaks the client's protocol passes as it stands, and is the client's own to keep.
        if (exchange.protocol === client || !steps.some(isCall)) continue
        count++
        const arrived = await arrivedThrough(client, signed, isStreamed, `${count}`)
        compare(asKept(client, signed, steps), asKept(client, signed, arrived), (fault) => tell(exchange.id, fault))
      }
      return count
    },
  )
}
