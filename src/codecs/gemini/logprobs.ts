import { fieldsOf } from '#ir/counts.ts'

/** Token probabilities: Gemini's `LogprobsResult` and OpenAI's list of tokens. */

interface Token {
  readonly token: unknown
  readonly logprob: unknown
  readonly bytes: null
  readonly top_logprobs?: readonly Token[]
}

/** The tokens of a `logprobsResult` in OpenAI's form; Gemini tells no bytes. */
export function tokensOf(result: unknown): readonly Token[] {
  const { chosenCandidates, topCandidates } = fieldsOf(result)
  const tops = Array.isArray(topCandidates) ? (topCandidates as unknown[]) : []
  if (!Array.isArray(chosenCandidates)) return []
  return chosenCandidates.map((chosen: unknown, index) => {
    const { candidates } = fieldsOf(tops[index])
    return { ...tokenOf(chosen), top_logprobs: Array.isArray(candidates) ? candidates.map(tokenOf) : [] }
  })
}

function tokenOf(candidate: unknown): Token {
  const { token, logProbability } = fieldsOf(candidate)
  return { token: token ?? '', logprob: logProbability ?? 0, bytes: null }
}

/** A `logprobsResult` of tokens in OpenAI's form. */
export function logprobsResultOf(tokens: readonly unknown[]): unknown {
  const tops = tokens.map((token) => fieldsOf(token)['top_logprobs'])
  const hasTops = tops.some((top) => Array.isArray(top) && top.length > 0)
  return {
    chosenCandidates: tokens.map(candidateOf),
    ...(hasTops
      ? { topCandidates: tops.map((top) => ({ candidates: Array.isArray(top) ? top.map(candidateOf) : [] })) }
      : {}),
  }
}

function candidateOf(value: unknown): unknown {
  const { token, logprob } = fieldsOf(value)
  return { token, logProbability: logprob }
}
