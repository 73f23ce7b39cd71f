import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/** As much of SMTP as a mail needs. */
export interface MailServer extends AsyncDisposable {
  readonly url: string
  /** The next mail to this address that nobody took yet: its headers and text, decoded. */
  next(to: string): Promise<string>
  readonly count: number
}

export async function startMailServer(): Promise<MailServer> {
  const waiting: { to: string; text: string }[] = []
  let arrived = Promise.withResolvers<void>()
  let count = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    converse(socket, (to, text) => {
      count++
      waiting.push({ to, text: decoded(text) })
      arrived.resolve()
      arrived = Promise.withResolvers<void>()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get count() {
      return count
    },
    async next(to) {
      for (;;) {
        const at = waiting.findIndex((mail) => mail.to === to)
        if (at >= 0) return waiting.splice(at, 1)[0]!.text
        await arrived.promise
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function converse(socket: Socket, deliver: (to: string, text: string) => void): void {
  let buffer = ''
  let to = ''
  let body: string[] | null = null
  const say = (line: string): void => void socket.write(`${line}\r\n`)
  say('220 test')
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    buffer += chunk.toString('utf8')
    for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end)
      buffer = buffer.slice(end + 2)
      if (body !== null) {
        if (line !== '.') {
          body.push(line)
          continue
        }
        deliver(to, body.join('\n'))
        body = null
        say('250 taken')
      } else if (/^RCPT TO:/i.test(line)) {
        to = /<([^>]*)>/.exec(line)![1]!.toLowerCase()
        say('250 ok')
      } else if (/^DATA/i.test(line)) {
        body = []
        say('354 go on')
      } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n')
      else say('250 ok')
    }
  })
}

/** Quoted-printable, which is what a long link is sent in. */
const decoded = (text: string): string =>
  text
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** The first link of a mail. */
export const linkIn = (mail: string): string => /https?:\/\/\S+/.exec(mail)![0]
