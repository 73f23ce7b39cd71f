import { GatewayError } from '#base/errors.ts'
import type { AgentSession } from '#data-plane/3-parse/agent-session.ts'
import type { Plan, Target } from './plan.ts'

/** What of a plan a session may use (B14), with what it is told. Throws 403 model_not_allowed when nothing is left. */
export function withinSession(plan: Plan, session: AgentSession): Plan {
  const allows = ({ route }: Target): boolean => isAllowed(route, session)
  const kept = <P extends Plan>(part: P): P => {
    const [first, ...rest] = part.targets.filter(allows)
    if (first === undefined) {
      throw new GatewayError('model_not_allowed', `The session may not use "${part.model.id}".`, { param: 'model' })
    }
    return { ...part, targets: [first, ...rest] }
  }
  const { larger, glass, reasoning } = plan
  const losses = session.warning === null ? plan.losses : [...(plan.losses ?? []), session.warning]
  return {
    ...kept(plan),
    ...(larger && { larger: larger.filter(allows) }),
    ...(glass && { glass: glass.filter(({ target }) => allows(target)) }),
    ...(reasoning && { reasoning: kept(reasoning) }),
    ...(losses && { losses }),
  }
}

function isAllowed({ model, price }: Target['route'], { models, pricePicoMax }: AgentSession): boolean {
  if (models !== null && !models.includes(model.id)) return false
  if (pricePicoMax === null) return true
  return price !== null && price.input <= pricePicoMax && price.output <= pricePicoMax
}
