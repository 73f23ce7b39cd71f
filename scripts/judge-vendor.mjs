// A gateway for the conformance judge whose backends are all of one vendor's own type. JUDGE_VENDOR names the vendor:
//   JUDGE_VENDOR=groq node <judge>/judge.mjs --gateway scripts/judge-vendor.mjs --ids <its exchanges>
// scripts/judge-vendors.mjs runs it for every vendor.
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HOME = fileURLToPath(new URL('..', import.meta.url))
const START_MS_MAX = 30_000
const KEY = 'key-of-the-vendor-0123456789'
const CLAUDE = 'claude-sonnet-4-5'

/** Per vendor: its type with the address of the upstream `url`, and its upstream model per protocol, where one is needed. */
export const VENDORS = {
  'azure-openai': (url) => ({ type: 'azure', api_url: url, api_key: KEY, api_version: '2024-10-21' }),
  'google-vertex': (url) => ({ type: 'vertex', api_url: url, api_key: KEY, project: 'p-1', location: 'us-east5' }),
  'aws-bedrock': (url) => ({
    type: 'bedrock',
    api_url: url,
    region: 'us-east-1',
    access_key_id: 'AKIDEXAMPLE',
    secret_access_key: KEY,
  }),
  openrouter: (url) => ({ type: 'openrouter', api_url: `${url}/api/v1`, api_key: KEY }),
  mistral: (url) => ({ type: 'mistral', api_url: `${url}/v1`, api_key: KEY }),
  groq: (url) => ({ type: 'groq', api_url: `${url}/openai/v1`, api_key: KEY }),
  deepseek: (url) => ({ type: 'deepseek', api_url: url, api_key: KEY }),
  xai: (url) => ({ type: 'xai', api_url: `${url}/v1`, api_key: KEY }),
  together: (url) => ({ type: 'together', api_url: `${url}/v1`, api_key: KEY }),
}

const PROTOCOLS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini', 'bedrock-converse']
const CAPABILITIES = ['tools', 'vision', 'json_schema', 'reasoning', 'audio', 'pdf']

/** The configuration for one vendor: one model per protocol. */
export function configFor(vendor, url) {
  const claude = (protocol) => protocol === 'anthropic-messages' && vendor === 'google-vertex'
  return {
    backends: { vendor: { ...VENDORS[vendor](url), protocols: PROTOCOLS } },
    models: PROTOCOLS.map((protocol) => ({
      id: `judge-${protocol}`,
      vendor: claude(protocol) ? 'anthropic' : 'any',
      context_window: 1_000_000,
      max_output: 128_000,
      capabilities: CAPABILITIES,
      price: { input: 1, output: 2, cache_read: 0.1, cache_write: 1.25 },
    })),
    routes: PROTOCOLS.map((protocol) => ({
      model: `judge-${protocol}`,
      backend: 'vendor',
      upstream_model: claude(protocol) ? CLAUDE : `judge-${protocol}`,
      protocols: [protocol],
    })),
  }
}

/** What the judge calls. */
export async function start({ replayPort, workdir }) {
  const vendor = process.env.JUDGE_VENDOR
  if (!VENDORS[vendor]) throw new Error(`JUDGE_VENDOR is none of ${Object.keys(VENDORS).join(', ')}`)
  const file = join(workdir, 'config.yaml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configFor(vendor, `http://127.0.0.1:${replayPort}`)))
  const data = join(workdir, 'data')
  mkdirSync(data, { recursive: true })
  const port = await freePort()
  const stop = await startGateway(
    ['serve', '--config', file, '--port', port, '--data-dir', data, '--disable-auth'],
    port,
    workdir,
  )
  const base = `http://127.0.0.1:${port}`
  return {
    baseUrls: { openai: `${base}/v1`, anthropic: base, gemini: base },
    apiKey: 'judge',
    modelFor: (upstream) => `judge-${upstream}`,
    supports: () => true,
    stop,
  }
}

async function startGateway(args, port, workdir) {
  const child = spawn(join(HOME, 'bin', 'trivium'), args.map(String), {
    cwd: workdir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(join(workdir, 'gateway.log'))
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const until = Date.now() + START_MS_MAX
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the gateway did not start: ${log.path}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return async () => {
    child.kill('SIGTERM')
    await exited
    log.end()
  }
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
