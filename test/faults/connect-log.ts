import { appendFileSync } from 'node:fs'
import { Socket as UdpSocket } from 'node:dgram'
import dns from 'node:dns'
import { isIP, Socket } from 'node:net'

/** Loaded before everything else by `--import`: writes down whom this process and its children want to talk to, one a line. */

const file = process.env['TRIVIUM_CONNECT_LOG']

const tell = (what: string): void => {
  if (file) appendFileSync(file, `${what}\n`)
}

interface Options {
  readonly host?: string
  readonly path?: string
}

const connect = Socket.prototype.connect as (...args: unknown[]) => Socket
Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  const { host, path } =
    typeof first === 'object' && first !== null ? (first as Options) : { host: args[1] as string, path: undefined }
  tell(`connect ${path ?? host ?? 'localhost'}`)
  return connect.apply(this, args)
} as typeof Socket.prototype.connect

const send = UdpSocket.prototype.send as (...args: unknown[]) => void
UdpSocket.prototype.send = function (this: UdpSocket, ...args: unknown[]) {
  tell(`send ${args.find((each) => typeof each === 'string') ?? 'connected'}`)
  return send.apply(this, args)
} as typeof UdpSocket.prototype.send

const lookup = dns.lookup as unknown as (...args: unknown[]) => void
dns.lookup = ((name: string, ...rest: unknown[]) => {
  if (isIP(name) === 0) tell(`lookup ${name}`)
  return lookup(name, ...rest)
}) as unknown as typeof dns.lookup
