import type { Caller } from '#accounts/types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Report } from '#data-plane/report.ts'

/** What every attempt of one request is made from. */
export interface Asked {
  readonly gateway: Gateway
  readonly caller: Caller
  readonly exchange: Exchange
  readonly parsed: Parsed
  readonly plan: Plan
  readonly hold: Hold
  readonly report: Report
}
