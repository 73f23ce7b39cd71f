import { createHash } from 'node:crypto'
import type { Caller, KeySession } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { parseUsd } from '#base/money.ts'
import type { Loss } from '#ir/extensions.ts'
import type { SessionAsk } from '#ledger/session-funds.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import { findLoop } from './agent-loop.ts'
import type { Parsed } from './parse.ts'

export const SESSION_NAME_CHARACTERS_MAX = 256
const BUDGET_HEADER = 'x-gateway-session-budget'
/** Repetitions that are a loop, where the key says nothing else. */
export const LOOP_TURNS_DEFAULT = 5

/** The session that a request belongs to (B14). */
export interface AgentSession {
  readonly ask: SessionAsk
  /** The models that may answer; null: any. */
  readonly models: readonly string[] | null
  /** The dearest token that may be used, in pico-USD; null: any. */
  readonly pricePicoMax: bigint | null
  /** What is told of a loop. */
  readonly warning: Loss | null
}

/** The one check that every request pays. */
export const namesSession = ({ request: { headers } }: Exchange, { wishes }: Parsed): boolean =>
  !!headers['x-session-id'] || headers[BUDGET_HEADER] !== undefined || (wishes !== null && wishes.session !== null)

/**
 * Reads what session a request belongs to, what it may use if this request opens it, and whether it goes in a circle. Throws 400 invalid_parameter,
 * 409 agent_loop_detected.
 */
export function readSession(caller: Caller, exchange: Exchange, parsed: Parsed): AgentSession {
  const { headers } = exchange.request
  const name = parsed.wishes?.session ?? nameIn(headers['x-session-id'])
  if (name === null) throw invalid(BUDGET_HEADER, `The header ${BUDGET_HEADER} needs a session: send x-session-id.`)
  const rules = caller.key?.policy?.session ?? null
  const digest = createHash('sha256').update(`${caller.account.id}\n${name}`).digest('hex').slice(0, ID_CHARACTERS)
  return {
    ask: {
      id: `ses_${digest}`,
      name,
      keyId: caller.key?.id ?? null,
      maxNano: smaller(budgetIn(headers[BUDGET_HEADER]), usdOf(rules?.maxUsd)),
      requestsMax: rules?.maxRequests ?? null,
      durationMs: rules?.maxDurationS == null ? null : rules.maxDurationS * 1000,
    },
    models: rules === null || rules.models.length === 0 ? null : rules.models,
    // A price per million tokens in USD, as pico-USD per token.
    pricePicoMax: rules?.maxPrice == null ? null : (usdOf(rules.maxPrice) ?? 0n) / 1000n,
    warning: warningOf(rules, parsed),
  }
}

const ID_CHARACTERS = 32

function warningOf(rules: KeySession | null, { surface, body, operation }: Parsed): Loss | null {
  const mode = rules?.loop ?? 'warn'
  if (mode === 'off' || operation !== 'generate') return null
  const loop = findLoop(surface, body, rules?.loopTurns ?? LOOP_TURNS_DEFAULT)
  if (loop === null) return null
  const reason = `the last ${loop.times} ${loop.of} are the same`
  if (mode === 'block') throw new GatewayError('agent_loop_detected', `This session goes in a circle: ${reason}.`)
  return { path: '', action: 'noticed', reason: `agent loop: ${reason}`, isSevere: false }
}

function nameIn(header: string | string[] | undefined): string | null {
  if (header === undefined || header === '') return null
  if (typeof header === 'string' && header.length <= SESSION_NAME_CHARACTERS_MAX) return header
  throw invalid('x-session-id', `A session has a name of at most ${SESSION_NAME_CHARACTERS_MAX} characters.`)
}

function budgetIn(header: string | string[] | undefined): bigint | null {
  if (header === undefined) return null
  const nano = typeof header === 'string' ? parseUsd(header.trim()) : undefined
  if (nano !== undefined && nano >= 0n && nano <= BUDGET_NANO_MAX) return nano
  throw invalid(BUDGET_HEADER, `The header ${BUDGET_HEADER} takes an amount in USD such as 2.00.`)
}

/** A billion USD. */
const BUDGET_NANO_MAX = 10n ** 18n

const usdOf = (text: string | null | undefined): bigint | null => (text == null ? null : (parseUsd(text) ?? null))

const smaller = (left: bigint | null, right: bigint | null): bigint | null =>
  left === null || right === null ? (left ?? right) : left < right ? left : right

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
