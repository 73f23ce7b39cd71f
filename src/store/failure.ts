import { GatewayError } from '#base/errors.ts'
import type { ErrorCode } from '#base/errors.ts'

/** A failed command as it crosses the thread boundary: classes and causes do not survive a structured clone. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly internal?: string
  readonly param?: string
  /** What was asked may have been done all the same: the connection was lost while the commit was under way. */
  readonly mayBeKept?: true
}

const UNAVAILABLE = 'The data store is not available. Try again shortly.'
const SQLITE_CONSTRAINT = 19
const POSTGRES_CONSTRAINT_CLASS = '23'

/** The error that every refused or broken store operation ends in. `internal` is for operators only. */
export function storeUnavailable(internal: string, cause?: unknown): GatewayError {
  return new GatewayError('store_unavailable', UNAVAILABLE, { internal, ...(cause === undefined ? {} : { cause }) })
}

/** Any thrown value as a Failure: our own errors keep their code, a broken constraint is a conflict, the rest is an outage. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof GatewayError) {
    const { internal, param } = thrown.details
    return {
      code: thrown.code,
      message: thrown.message,
      ...(internal === undefined ? {} : { internal }),
      ...(param === undefined ? {} : { param }),
    }
  }
  const internal = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  if (isConstraint(thrown)) {
    return { code: 'state_conflict', message: 'This change conflicts with what is stored.', internal }
  }
  return { code: 'store_unavailable', message: UNAVAILABLE, internal }
}

/** The GatewayError that a Failure stands for. */
export function errorOf(failure: Failure): GatewayError {
  return new GatewayError(failure.code, failure.message, {
    ...(failure.internal === undefined ? {} : { internal: failure.internal }),
    ...(failure.param === undefined ? {} : { param: failure.param }),
    ...(failure.mayBeKept ? { mayBeKept: true } : {}),
  })
}

/** Whether a change that failed may have been made. */
export const mayBeKept = (thrown: unknown): boolean =>
  thrown instanceof GatewayError && thrown.details.mayBeKept === true

function isConstraint(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const { errcode, code } = thrown as { errcode?: unknown; code?: unknown }
  // SQLite's extended codes keep the primary one in their low byte.
  if (typeof errcode === 'number') return (errcode & 255) === SQLITE_CONSTRAINT
  return typeof code === 'string' && code.length === 5 && code.startsWith(POSTGRES_CONSTRAINT_CLASS)
}
