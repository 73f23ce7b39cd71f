/** The processes of a bench run: the mock upstream, the bare proxy and the gateway, each pinned where it belongs. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Gateway } from '#test/faults/gateway.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { IDLE_MODEL, type UpstreamStats } from './upstream.ts'

export type SubjectName = 'direct' | 'bare' | 'gateway'

/** The subject has one core for itself; the upstream and the load generator share the other. */
const SUBJECT_CPU = 0
const OTHER_CPU = 1
const LOAD_OUTPUT_BYTES_MAX = 1024 * 1024

export const MODEL_SAME = 'bench-chat'
/** Its upstream calls it otherwise, so that every answer has to be renamed. */
export const MODEL_RENAMED = 'bench-renamed'

export const pinned = availableParallelism() >= 2 && spawnSync('taskset', ['--version']).status === 0

function pin(cpu: number, command: readonly string[]): string[] {
  return pinned ? ['taskset', '-c', String(cpu), ...command] : [...command]
}

async function startNode(cpu: number, script: string, args: readonly string[]): Promise<[ChildProcess, number]> {
  const [command, ...rest] = pin(cpu, [process.execPath, join(import.meta.dirname, script), ...args])
  const child = spawn(command!, rest, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_CHILD: '1' },
  })
  const [data] = (await once(child.stdout!, 'data')) as [Buffer]
  const port = Number(/listening (\d+)/.exec(data.toString())?.[1])
  if (!port) throw new Error(`${script} did not start: ${data.toString()}`)
  return [child, port]
}

function gatewayConfig(upstreamUrl: string): unknown {
  const model = {
    vendor: 'openai',
    context_window: 16_000_000,
    max_output: 16_384,
    capabilities: ['tools', 'vision', 'json_schema'],
    price: { input: 1, output: 2, cache_read: 0.1, cache_write: 1.25 },
  }
  return {
    backends: {
      mock: {
        type: 'openai_compatible',
        api_url: `${upstreamUrl}/v1`,
        api_key: 'upstream-key',
        protocols: ['openai-chat'],
      },
    },
    models: [
      { id: MODEL_SAME, ...model },
      { id: MODEL_RENAMED, ...model },
      { id: IDLE_MODEL, ...model },
    ],
    routes: [
      { model: MODEL_SAME, backend: 'mock', upstream_model: MODEL_SAME },
      { model: MODEL_RENAMED, backend: 'mock', upstream_model: 'bench-upstream' },
      { model: IDLE_MODEL, backend: 'mock', upstream_model: IDLE_MODEL },
    ],
  }
}

export interface Payer {
  readonly accountId: string
  readonly key: string
}

export const CREDIT = '1000000'

export class Subjects {
  readonly #children: ChildProcess[]
  readonly #ports: Readonly<Record<SubjectName, number>>
  readonly #pids: Readonly<Record<SubjectName, number>>
  readonly gateway: Gateway | undefined

  private constructor(
    children: ChildProcess[],
    ports: Record<SubjectName, number>,
    pids: Record<SubjectName, number>,
    gateway: Gateway | undefined,
  ) {
    this.#children = children
    this.#ports = ports
    this.#pids = pids
    this.gateway = gateway
  }

  /** Starts all processes. `nodeOptions` are given to the gateway's Node.js, for profiles and for its inspector. */
  static async start(withGateway: boolean, nodeOptions: string): Promise<Subjects> {
    const [upstream, upstreamPort] = await startNode(OTHER_CPU, 'upstream.ts', [])
    const url = `http://127.0.0.1:${upstreamPort}`
    const [bare, barePort] = await startNode(SUBJECT_CPU, 'baseline/proxy.ts', ['--upstream', url])
    const children = [upstream, bare]
    let gateway: Gateway | undefined
    try {
      if (withGateway) {
        gateway = await Gateway.start({
          config: gatewayConfig(url),
          ...(pinned ? { cpu: SUBJECT_CPU } : {}),
          env: nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions },
        })
      }
    } catch (error) {
      for (const child of children) child.kill()
      throw error
    }
    return new Subjects(
      children,
      { direct: upstreamPort, bare: barePort, gateway: gateway?.port ?? 0 },
      { direct: 0, bare: bare.pid ?? 0, gateway: gateway?.pid ?? 0 },
      gateway,
    )
  }

  /** A fresh prepaid account with a key, so that each part has a ledger of its own. */
  async pay(part: string): Promise<Payer | undefined> {
    return this.gateway?.fund(`${part.toLowerCase()}@bench.test`, CREDIT)
  }

  /** One run of the load generator against `subject`. */
  async load(subject: SubjectName, spec: Omit<LoadSpec, 'port' | 'subjectPid'>): Promise<LoadResult> {
    const whole: LoadSpec = { ...spec, port: this.#ports[subject], subjectPid: this.#pids[subject] }
    const [command, ...args] = pin(OTHER_CPU, [
      process.execPath,
      join(import.meta.dirname, 'load.ts'),
      JSON.stringify(whole),
    ])
    return new Promise((resolve, reject) => {
      execFile(command!, args, { maxBuffer: LOAD_OUTPUT_BYTES_MAX }, (error, stdout, stderr) => {
        if (error) reject(new Error(`load generator: ${stderr || error.message}`))
        else resolve(JSON.parse(stdout) as LoadResult)
      })
    })
  }

  async upstreamStats(): Promise<UpstreamStats> {
    const reply = await fetch(`http://127.0.0.1:${this.#ports.direct}/__stats`)
    return (await reply.json()) as UpstreamStats
  }

  async stop(): Promise<void> {
    await this.gateway?.stop()
    for (const child of this.#children) child.kill()
  }
}
