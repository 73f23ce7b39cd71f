import { BlockList, isIP } from 'node:net'

/** A network in CIDR notation. */
export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/**
 * IPv4 networks that are not the public Internet: the IANA registry of special-purpose addresses, and multicast. The
 * last one is public by its number and answers every machine in Azure with that machine's secrets.
 */
const CLOSED_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
]

/** All of IPv6 that is routed in public; what is outside (loopback, local, mapped, translated, multicast) is closed. */
const OPEN_IPV6 = '2000::/3'

/** Within it: protocol assignments with Teredo, documentation, 6to4 (which holds any IPv4 address), documentation again. */
const CLOSED_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** `10.0.0.0/8`, `fd00::/8`, or one address; null for anything else. */
export function parseNetwork(text: string): Network | null {
  const [address = '', length, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0 || address.includes('%')) return null
  const bits = version === 4 ? 32 : 128
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1
  return prefix < 0 || prefix > bits ? null : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** Which addresses the gateway may connect to where a client or another host chose them (R122). */
export class AddressRules {
  /** Whether the operator opened any network that is not public. */
  readonly opensPrivate: boolean
  private readonly allowed: BlockList

  /** `allowed`: networks in CIDR notation that are open although they are not public. Throws on what is no network. */
  constructor(allowed: readonly string[]) {
    this.allowed = listOf(allowed)
    this.opensPrivate = allowed.length > 0
  }

  /** Whether this address (not a name) may be connected to. What is no address may not. */
  permits(address: string): boolean {
    const bare = address.split('%', 1)[0]!
    const version = isIP(bare)
    if (version === 0) return false
    const family = version === 4 ? 'ipv4' : 'ipv6'
    if (this.allowed.check(bare, family)) return true
    if (version === 4) return !CLOSED.check(bare, family)
    return OPEN.check(bare, family) && !CLOSED.check(bare, family)
  }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (!network) throw new TypeError(`"${text}" is no network`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return list
}

const OPEN = listOf([OPEN_IPV6])
const CLOSED = listOf([...CLOSED_IPV4, ...CLOSED_IPV6])

/** Networks that something may come from (empty: any), and those that it may never come from. */
export interface AddressList {
  readonly ipAllow: readonly string[]
  readonly ipDeny: readonly string[]
}

interface Compiled {
  readonly allow: BlockList
  readonly deny: BlockList
}

/** By the list itself: a key's list is checked with every request, and made into a tree once. */
const compiled = new WeakMap<AddressList, Compiled>()

/** Whether a peer may come from this address; a peer without an address only where nothing is asked. */
export function mayComeFrom(list: AddressList, peer: string | undefined): boolean {
  if (list.ipAllow.length + list.ipDeny.length === 0) return true
  if (peer === undefined) return false
  // A socket of both families writes IPv4 in its IPv6 form.
  const address = peer.replace(/^::ffff:(?=\d+\.)/i, '').split('%', 1)[0]!
  const version = isIP(address)
  if (version === 0) return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  let trees = compiled.get(list)
  if (!trees) compiled.set(list, (trees = { allow: listOf(list.ipAllow), deny: listOf(list.ipDeny) }))
  if (trees.deny.check(address, family)) return false
  return list.ipAllow.length === 0 || trees.allow.check(address, family)
}
