import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'

/** Something on this machine that nobody may be made to ask: it counts connections, on IPv4 and IPv6. */
export interface Canary extends AsyncDisposable {
  readonly port: number
  readonly hits: number
}

export async function startCanary(): Promise<Canary> {
  let hits = 0
  const listen = (host: string, port: number): Promise<Server | null> =>
    new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        hits++
        socket.destroy()
      })
      // A machine without IPv6 has nothing to be asked there.
      server.once('error', (error) => (host === '::1' ? resolve(null) : reject(error)))
      server.listen(port, host, () => resolve(server))
    })
  const four = (await listen('127.0.0.1', 0))!
  const { port } = four.address() as AddressInfo
  const six = await listen('::1', port)
  return {
    port,
    get hits() {
      return hits
    },
    async [Symbol.asyncDispose]() {
      four.close()
      six?.close()
    },
  }
}

/** Spellings of this machine and of other hosts that no client may name (attack S1), all with the canary's port where they have one. */
export const payloadsAt = (port: number): readonly string[] => [
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '127.255.255.254',
    '0',
    '0.0.0.0',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.1',
    '0177.0.0.01',
    '017700000001',
    '127.0.0.1.',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '[0:0:0:0:0:0:0:1]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'ｌｏｃａｌｈｏｓｔ',
    '127。0。0。1',
    '127．0．0．1',
    '①②⑦.0.0.1',
    '%31%32%37.0.0.1',
    'ip6-localhost',
  ].map((host) => `http://${host}:${port}/a.png`),
  `https://127.0.0.1:${port}/a.png`,
  `http://user@127.0.0.1:${port}/a.png`,
  `http://user:secret@127.0.0.1:${port}/a.png`,
  `http://example.com@127.0.0.1:${port}/a.png`,
  `http://127.0.0.1:${port}#@example.com/`,
  `http://127.0.0.1:${port}\\@example.com/`,
  `http://example.com\\@127.0.0.1:${port}/`,
  `http:127.0.0.1:${port}/a.png`,
  `http:/127.0.0.1:${port}/a.png`,
  `http:///127.0.0.1:${port}/a.png`,
  `//127.0.0.1:${port}/a.png`,
  ` http://127.0.0.1:${port}/a.png`,
  `http://127.0.0.1\t:${port}/a.png`,
  `gopher://127.0.0.1:${port}/_a`,
  `ftp://127.0.0.1:${port}/a.png`,
  `dict://127.0.0.1:${port}/a`,
  `file:///etc/passwd`,
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata/',
  'http://100.100.100.200/latest/meta-data/',
  'http://168.63.129.16/machine',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://192.168.0.1/',
  'http://[fe80::1]/',
  'http://[fc00::1]/',
]
