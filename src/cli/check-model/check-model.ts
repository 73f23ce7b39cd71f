import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCatalog } from '#catalog/catalog.ts'
import { type Check, writeChecked } from '#catalog/discovery/checked-file.ts'
import { DEFAULT_GROUP } from '#catalog/kinds.ts'
import { ANY_SIMULATOR_URL } from '#cli/catalog.ts'
import { CliError } from '#cli/failure.ts'
import { json, table } from '#cli/output.ts'
import type { Run } from '#cli/program.ts'
import { loadConfig } from '#config/load.ts'
import { nearest } from '#config/suggest.ts'
import { readStream, readWhole, type Said } from './answers.ts'
import { requestOf, type Surface, SURFACES } from './asks.ts'
import { type Probe, PROBES } from './probes.ts'

/** One answer of a provider; a model that thinks may take long. */
export const PROBE_WAIT_MS = 120_000

/** `-`: the protocol cannot say it. */
type Verdict = 'pass' | 'fail' | 'unsupported' | '-'

interface Result {
  readonly verdict: Verdict
  readonly detail: string | null
  /** Decimal USD; null where nothing was charged. */
  readonly cost: string | null
}

type Results = Record<Surface, Record<string, Result>>

/**
 * `trivium check-model`: small questions through the model's real route, on every client protocol, by a gateway of this
 * configuration that lives as long as the command, on books of its own. Exit 1 when the model lacks what the catalog declares.
 * What was found is written down for the catalog (R121).
 */
export async function checkModel(run: Run, wanted: string, options: Record<string, unknown>): Promise<number> {
  const { settings } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  const catalog = buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() })
  const model = catalog.models.get(wanted)
  if (!model) {
    const near = nearest(wanted, catalog.models.keys())
    throw new CliError(`there is no model ${wanted}${near ? `; did you mean ${near}?` : ''}`)
  }
  if (model.kind === 'embedding') throw new CliError(`${wanted} is an embedding model, and only chat is checked`)
  const surfaces = surfacesOf(options['protocol'])
  const group = typeof options['group'] === 'string' ? options['group'] : DEFAULT_GROUP
  const folder = mkdtempSync(join(tmpdir(), 'trivium-check-'))
  const discovered = join(settings.dataDir, 'discovered')
  if (existsSync(discovered)) cpSync(discovered, join(folder, 'discovered'), { recursive: true })
  const { startGateway } = await import('#main')
  const gateway = await startGateway({
    flags: { ...run.flags, ...privately(folder) },
    env: run.env,
    cwd: run.cwd,
    store: { kind: 'sqlite', file: join(folder, 'trivium.db') },
  })
  try {
    const headers = { 'x-gateway-group': group }
    const results = {} as Results
    for (const surface of surfaces) {
      results[surface] = {}
      for (const probe of PROBES) {
        results[surface][probe.name] = await probeOne(gateway.url, surface, wanted, probe, headers, model.capabilities)
      }
    }
    const checkedAt = new Date().toISOString()
    keep(run, settings.dataDir, checksOf(wanted, group, checkedAt, results))
    return report(run, wanted, checkedAt, results)
  } finally {
    await gateway.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** What makes a gateway of this configuration one that disturbs no other. */
const privately = (folder: string): Record<string, unknown> => ({
  port: 0,
  host: '127.0.0.1',
  'data-dir': folder,
  'disable-auth': true,
  'billing-mode': 'off',
  'log-level': 'silent',
})

function surfacesOf(wish: unknown): readonly Surface[] {
  if (wish === undefined || wish === 'all') return SURFACES
  const names = String(wish).split(',')
  const unknown = names.filter((name) => !(SURFACES as readonly string[]).includes(name))
  if (unknown.length > 0)
    throw new CliError(`there is no protocol ${unknown.join(', ')}: all, ${SURFACES.join(', ')}`, 2)
  return names as Surface[]
}

async function probeOne(
  url: string,
  surface: Surface,
  model: string,
  probe: Probe,
  headers: Readonly<Record<string, string>>,
  capabilities: ReadonlySet<string>,
): Promise<Result> {
  const request = requestOf(surface, model, probe.ask)
  if (!request) return { verdict: '-', detail: null, cost: null }
  const isDeclared = probe.declaredBy.length === 0 || probe.declaredBy.some((name) => capabilities.has(name))
  const lacking: Verdict = isDeclared ? 'fail' : 'unsupported'
  try {
    const answer = await fetch(url + request.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(request.body),
      signal: AbortSignal.timeout(PROBE_WAIT_MS),
    })
    const text = await answer.text()
    const row = await rowOf(url, answer.headers.get('x-request-id'))
    const cost = row.metered_cost ?? null
    if (!answer.ok) {
      const isRefusal = probe.mayBeRefused === true && answer.status === 400
      return { verdict: isRefusal ? 'unsupported' : lacking, detail: `${answer.status} ${messageIn(text)}`, cost }
    }
    const said: Said = probe.ask.stream ? readStream(surface, text) : readWhole(surface, JSON.parse(text))
    const missing = probe.judge(said, row.usage_source ?? null)
    return { verdict: missing === null ? 'pass' : lacking, detail: missing, cost }
  } catch (thrown) {
    return { verdict: lacking, detail: (thrown as Error).message, cost: null }
  }
}

/** The log row, which tells what the client cannot see. */
async function rowOf(url: string, id: string | null): Promise<{ usage_source?: string; metered_cost?: string }> {
  if (id === null) return {}
  const answer = await fetch(`${url}/api/logs/${id}`)
  return answer.ok ? ((await answer.json()) as { usage_source?: string; metered_cost?: string }) : {}
}

function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    return String(error?.message)
  } catch {
    return 'without a reason'
  }
}

/** What was found is told even where it cannot be kept. */
function keep(run: Run, dataDir: string, checks: readonly Check[]): void {
  try {
    writeChecked(dataDir, checks)
  } catch (thrown) {
    run.error(`the catalog does not show this check: ${(thrown as Error).message}`)
  }
}

/** Without the details, which may name a backend: anybody may read the catalog. */
const checksOf = (model: string, group: string, checkedAt: string, results: Results): readonly Check[] =>
  Object.entries(results).map(([protocol, probes]) => ({
    model,
    group,
    protocol,
    checked_at: checkedAt,
    results: Object.fromEntries(
      Object.entries(probes).flatMap(([name, { verdict }]) => (verdict === '-' ? [] : [[name, verdict]])),
    ),
  }))

function report(run: Run, model: string, checkedAt: string, results: Results): number {
  const all = Object.values(results).flatMap((each) => Object.values(each))
  const failed = all.some(({ verdict }) => verdict === 'fail')
  const cost = all.reduce((sum, each) => sum + Number(each.cost ?? 0), 0)
  if (run.json) {
    run.out(json({ model, checked_at: checkedAt, ok: !failed, cost_usd: cost, results }))
    return failed ? 1 : 0
  }
  const surfaces = Object.keys(results) as Surface[]
  const rows = PROBES.map(({ name }) => [name, ...surfaces.map((surface) => results[surface][name]!.verdict)])
  run.out(table(['probe', ...surfaces], rows))
  for (const surface of surfaces)
    for (const [name, { verdict, detail }] of Object.entries(results[surface]))
      if (verdict === 'fail') run.out(`${surface} ${name}: ${detail}`)
  run.out(`It cost USD ${cost}.`)
  return failed ? 1 : 0
}
