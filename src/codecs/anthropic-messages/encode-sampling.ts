import type { Encoding } from './encoding.ts'
import type { Members } from './members.ts'

/** What the API has no parameter for. */
const UNKNOWN = ['presencePenalty', 'frequencyPenalty', 'seed', 'logitBias', 'minP', 'repetitionPenalty'] as const
const TEMPERATURE_MAX = 1
/** Beside reasoning the API takes `top_p` from here. Source: "Extended thinking", feature compatibility. */
const TOP_P_WITH_REASONING_MIN = 0.95

/** Sampling values as far as the API and the model take them. */
export function encodeSampling(encoding: Encoding, isReasoning: boolean): Members {
  const { request, target, losses, isOwn } = encoding
  const { sampling } = request
  for (const name of UNKNOWN)
    if (sampling[name] !== undefined) losses.dropped(encoding.pathOf(name), 'no parameter of the Messages API')
  if (target.refusesSampling) {
    for (const name of ['temperature', 'topP', 'topK'] as const)
      if (sampling[name] !== undefined) losses.dropped(encoding.pathOf(name), 'the model refuses sampling values')
    return {}
  }
  const values: Record<string, unknown> = {}
  const { topP, topK } = sampling
  const temperature = isOwn ? sampling.temperature : clamp(sampling.temperature, encoding)
  const isFree = isOwn || !isReasoning
  const put = (name: string, field: string, value: unknown, refusal: string | null): void => {
    if (value === undefined) return
    if (refusal === null) values[name] = value
    else losses.dropped(encoding.pathOf(field), refusal)
  }
  const beside = 'refused beside reasoning'
  put('temperature', 'temperature', temperature, isFree || temperature === TEMPERATURE_MAX ? null : beside)
  const isHigh = typeof topP === 'number' && topP >= TOP_P_WITH_REASONING_MIN
  const both = !isOwn && 'temperature' in values ? 'recent models refuse it beside a temperature' : null
  put('top_p', 'topP', topP, both ?? (isFree || isHigh ? null : beside))
  put('top_k', 'topK', topK, isFree ? null : beside)
  return values
}

/** Other APIs go to 2. */
function clamp(temperature: unknown, encoding: Encoding): unknown {
  if (typeof temperature !== 'number' || temperature <= TEMPERATURE_MAX) return temperature
  encoding.losses.narrowed(encoding.pathOf('temperature'), `the highest temperature is ${TEMPERATURE_MAX}`)
  return TEMPERATURE_MAX
}
