/**
 * Whether an account of a tier may use what asks for another one (R22, R45). `order` names the tiers, the lowest first; a tier that is not
 * among them is below all.
 */
export const reachesTier = (order: readonly string[], own: string, wanted: string): boolean =>
  own === wanted || (order.includes(wanted) && order.indexOf(own) >= order.indexOf(wanted))
