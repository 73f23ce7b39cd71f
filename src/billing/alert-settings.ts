import { GatewayError } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'
import type { PeriodStarts } from '#ledger/periods.ts'
import type { AlertSettingTable } from '#store/billing-schema.ts'
import type { Store } from '#store/store.ts'

export const THRESHOLDS_MAX = 10

/** What an account is told of, and where. Of a percentage or a factor 0 is off. */
export interface AlertSettings {
  /** Shares of a budget in percent. */
  readonly thresholds: readonly number[]
  readonly balanceBelowNano: NanoUsd | null
  /** One key's share of what the account spends in a month, in percent. */
  readonly keySharePercent: number
  /** How many times the mean hour of the last seven days. */
  readonly spikeTimes: number
  readonly webhookUrl: string | null
  readonly email: string | null
}

/** What an account sets itself; null or absent: as the operator has it. */
export type OwnAlertSettings = { readonly [Name in keyof AlertSettings]?: AlertSettings[Name] | null }

/** The operator's, for every account that says nothing else, and for the operator. */
export interface AlertDefaults extends AlertSettings {
  /** Less than these is not worth an alert. */
  readonly keyShareMinNano: NanoUsd
  readonly spikeMinNano: NanoUsd
  readonly errorRatePercent: number
  readonly errorRateAttemptsMin: number
  readonly freeTierRefusals: number
}

/** An alert that has become due. The same threshold of the same period has the same mark. */
export interface Due {
  /** Null: for the operator. */
  readonly accountId: string | null
  readonly kind: string
  readonly mark: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** What decides on the alerts of accounts. */
export interface AlertView {
  readonly nowMs: number
  readonly starts: PeriodStarts
  readonly defaults: AlertDefaults
  readonly settings: ReadonlyMap<string, AlertSettingTable>
}

/** Where no configuration says anything. */
export const ALERT_DEFAULTS: AlertDefaults = {
  thresholds: [50, 80, 100],
  balanceBelowNano: null,
  keySharePercent: 0,
  spikeTimes: 0,
  webhookUrl: null,
  email: null,
  keyShareMinNano: 0n,
  spikeMinNano: 0n,
  errorRatePercent: 0,
  errorRateAttemptsMin: 0,
  freeTierRefusals: 0,
}

export const findSettings = (store: Store, accountId: string): Promise<AlertSettingTable | undefined> =>
  store.read.selectFrom('alert_settings').selectAll().where('account_id', '=', accountId).executeTakeFirst()

export function ownSettingsOf(row: AlertSettingTable | undefined): OwnAlertSettings {
  if (!row) return {}
  return {
    thresholds: JSON.parse(row.thresholds) as number[] | null,
    balanceBelowNano: row.balance_below_nano,
    keySharePercent: row.key_share_percent,
    spikeTimes: row.spike_times,
    webhookUrl: row.webhook_url,
    email: row.email,
  }
}

/** With the operator's rules where it has none; sinks are its own only. */
export function settingsOf(row: AlertSettingTable | undefined, defaults: AlertDefaults): AlertSettings {
  const own = ownSettingsOf(row)
  return {
    thresholds: own.thresholds ?? defaults.thresholds,
    balanceBelowNano: own.balanceBelowNano ?? defaults.balanceBelowNano,
    keySharePercent: own.keySharePercent ?? defaults.keySharePercent,
    spikeTimes: own.spikeTimes ?? defaults.spikeTimes,
    webhookUrl: own.webhookUrl ?? null,
    email: own.email ?? null,
  }
}

export const rowOf = (
  accountId: string,
  own: OwnAlertSettings,
  secretVersion: number,
  nowMs: number,
): AlertSettingTable => ({
  account_id: accountId,
  thresholds: JSON.stringify(own.thresholds ?? null),
  balance_below_nano: own.balanceBelowNano ?? null,
  key_share_percent: own.keySharePercent ?? null,
  spike_times: own.spikeTimes ?? null,
  webhook_url: own.webhookUrl ?? null,
  email: own.email ?? null,
  secret_version: secretVersion,
  updated_ms: nowMs,
})

/** `refusalOf` tells why an address may not be asked for. Throws GatewayError('invalid_parameter'). */
export function checkSettings(own: OwnAlertSettings, refusalOf: (url: string) => string | null): void {
  const { thresholds, webhookUrl, keySharePercent, spikeTimes } = own
  const fits = thresholds?.every((one) => isWhole(one, 1, 1000)) ?? true
  if (thresholds && (!fits || thresholds.length > THRESHOLDS_MAX || new Set(thresholds).size < thresholds.length)) {
    throw invalid('thresholds', `Name at most ${THRESHOLDS_MAX} different whole percentages from 1 to 1000.`)
  }
  if (keySharePercent != null && !isWhole(keySharePercent, 0, 100)) {
    throw invalid('key_share', 'A share is a whole percentage; 0 is off.')
  }
  if (spikeTimes != null && !isWhole(spikeTimes, 0, 1000)) {
    throw invalid('spend_spike', 'A spike is a whole number of times the mean, at most 1000; 0 is off.')
  }
  const refusal = webhookUrl == null ? null : refusalOf(webhookUrl)
  if (refusal !== null) throw invalid('webhook_url', `This address cannot be used: ${refusal}.`)
}

const isWhole = (value: number, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= min && value <= max

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
