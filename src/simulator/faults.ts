import { modelName } from './models.ts'

/** What goes wrong on demand (B12): the model's name says it. */
export type Fault =
  /** Answered at once with this status in the protocol's own error shape. */
  | { readonly kind: 'status'; readonly status: FaultStatus }
  /** The socket is destroyed after `FAULT_EVENTS` content events, or in the middle of a body. */
  | { readonly kind: 'cut' }
  /** The request is read and never answered. */
  | { readonly kind: 'hang' }
  /** Nothing more comes after `FAULT_EVENTS` content events, or in the middle of a body. */
  | { readonly kind: 'stall' }
  /** The stream ends cleanly after `FAULT_EVENTS` content events, without its last frames. */
  | { readonly kind: 'end' }
  /** The protocol's own error event after `FAULT_EVENTS` content events. */
  | { readonly kind: 'error' }

/** Content events that a broken stream delivers before its fault. */
export const FAULT_EVENTS = 3
/** Seconds in the `retry-after` header of `sim/fault-429`. */
export const RETRY_AFTER_SECONDS = 1

export const FAULT_STATUSES = [400, 401, 403, 404, 429, 500, 502, 503, 529] as const
export type FaultStatus = (typeof FAULT_STATUSES)[number]

const MESSAGES: Readonly<Record<FaultStatus, string>> = {
  400: 'The request is invalid.',
  401: 'The API key is not valid.',
  403: 'This key may not use the model.',
  404: 'The model does not exist.',
  429: 'Too many requests.',
  500: 'Something broke inside.',
  502: 'The machine behind this one broke.',
  503: 'The service is not available.',
  529: 'The service is overloaded.',
}

/** The fault that a model's name asks for, `sim/fault-429` or `sim/fault-cut` for example; null for every other name. */
export function faultOf(model: string): Fault | null {
  const name = /^fault-(\w+)$/.exec(modelName(model))?.[1]
  const status = FAULT_STATUSES.find((candidate) => String(candidate) === name)
  if (status) return { kind: 'status', status }
  switch (name) {
    case 'cut':
    case 'hang':
    case 'stall':
    case 'end':
    case 'error':
      return { kind: name }
    default:
      return null
  }
}

export const faultMessage = (status: FaultStatus): string => `${MESSAGES[status]} (This fault was asked for.)`
