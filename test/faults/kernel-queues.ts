/** What the kernel holds of a loopback connection, so that what a process holds can be told from it. */
import { readFileSync } from 'node:fs'

export interface QueueBytes {
  /** Written by the process at this end and not yet acknowledged by the peer's kernel. */
  readonly send: number
  /** Received by the kernel at this end and not yet read by its process. */
  readonly receive: number
}

const ESTABLISHED = '01'

/** Sums the queues of all established IPv4 sockets whose local or remote port is given (either may be left out). */
export function queues(match: { readonly local?: number; readonly remote?: number }): QueueBytes {
  let send = 0
  let receive = 0
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, state, bytes] = line.trim().split(/\s+/)
    if (!local || !remote || state !== ESTABLISHED || !bytes) continue
    const portOf = (address: string): number => Number.parseInt(address.slice(address.indexOf(':') + 1), 16)
    if (match.local !== undefined && portOf(local) !== match.local) continue
    if (match.remote !== undefined && portOf(remote) !== match.remote) continue
    const [sendHex = '0', receiveHex = '0'] = bytes.split(':')
    send += Number.parseInt(sendHex, 16)
    receive += Number.parseInt(receiveHex, 16)
  }
  return { send, receive }
}
