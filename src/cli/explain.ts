import { type Caller, LOCAL_ACCOUNT_ID } from '#accounts/types.ts'
import { loadConfig } from '#config/load.ts'
import { explainerOf } from '#main'
import { ANY_SIMULATOR_URL } from './catalog.ts'
import { CliError } from './failure.ts'
import { json, pairs, table } from './output.ts'
import type { Run } from './program.ts'

interface Endpoint {
  readonly model: string
  readonly backend: string
  readonly upstream_model: string
  readonly adapter?: string
  readonly max_cost?: string | null
  readonly excluded_by?: readonly string[]
}

interface Explanation {
  readonly resolved: string
  readonly model: string
  readonly group: string
  readonly thinking: boolean
  readonly trace: readonly { readonly step: string; readonly input: string; readonly output: string }[]
  readonly endpoints: readonly Endpoint[]
  readonly excluded: readonly Endpoint[]
  readonly error?: { readonly code: string; readonly message: string }
}

/** Whoever has the configuration is the operator. */
const OPERATOR: Caller = {
  account: { id: LOCAL_ACCOUNT_ID, email: 'local@localhost', mode: 'postpaid', status: 'active', tier: 'free' },
  key: null,
  billing: 'off',
}

/** `trivium explain MODEL`: what this configuration makes of a model string, and where a short chat would go (R43, B7). */
export async function explainModel(run: Run, model: string, options: Record<string, unknown>): Promise<void> {
  const { settings } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  const { group, protocol } = options as { group?: string; protocol?: string }
  const asker = {
    caller: OPERATOR,
    seesBackends: true,
    headers: group === undefined ? {} : { 'x-gateway-group': group },
  }
  const body = bodyFor(protocol ?? 'chat', model)
  const question = Buffer.from(JSON.stringify({ protocol: protocol ?? 'chat', body }))
  const told = (await explain(() => explainerOf(settings, ANY_SIMULATOR_URL).explain(asker, question))) as unknown
  if (run.json) return run.out(json(told as Record<string, unknown>))
  const { resolved, model: id, group: own, thinking, trace, endpoints, excluded, error } = told as Explanation
  const lines = [
    pairs([
      ['resolved', resolved],
      ['model', id],
      ['group', own],
      ['thinking', thinking],
    ]),
    table(
      ['step', 'input', 'output'],
      trace.map((step) => [step.step, step.input, step.output]),
    ),
    table(
      ['backend', 'upstream model', 'adapter', 'max cost', 'left out by'],
      [...endpoints, ...excluded].map((each) => [
        each.backend,
        each.upstream_model,
        each.adapter,
        each.max_cost,
        each.excluded_by?.join(' '),
      ]),
    ),
    ...(error ? [`${error.code}: ${error.message}`] : []),
  ]
  run.out(lines.join('\n\n'))
}

/** A refusal is an answer, of which a program wants to know by the exit code. */
async function explain<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    throw new CliError((thrown as Error).message)
  }
}

/** The shortest request of each protocol. */
function bodyFor(protocol: string, model: string): object {
  const messages = [{ role: 'user', content: 'hi' }]
  switch (protocol) {
    case 'responses':
    case 'openai-responses':
    case 'embeddings':
    case 'openai-embeddings':
      return { model, input: 'hi' }
    case 'gemini':
      return { model, contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
    default:
      return { model, messages, max_tokens: 100 }
  }
}
