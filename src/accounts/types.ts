import type { NanoUsd } from '#base/money.ts'
import type { BillingMode, EntryType } from '#ledger/types.ts'
import type { LimitSet } from '#limits/types.ts'

export const OPERATOR_ACCOUNT_ID = 'acc_operator'
export const LOCAL_ACCOUNT_ID = 'acc_local'

export type LimitReset = 'daily' | 'weekly' | 'monthly'

export interface Account {
  readonly id: string
  readonly email: string
  readonly mode: Exclude<BillingMode, 'off'>
  readonly status: 'active' | 'suspended'
  /** As it is now; see `tierOf`. */
  readonly tier: string
  /** Whether an administrator gave it, so that purchases do not change it. */
  readonly tierAssigned: boolean
  /** All that it bought, less refunds and disputes. */
  readonly purchasedNano: NanoUsd
  readonly balanceNano: NanoUsd
  readonly heldNano: NanoUsd
  /** Postpaid only: how far below zero the balance may go; null is no limit. */
  readonly creditLimitNano: NanoUsd | null
  /** What it pays of every charge, in parts per million (R93). */
  readonly chargeFactor: bigint
  readonly createdMs: number
}

/** What a key demands of where its requests go, besides its groups (R18, R65). */
export interface KeyPolicy {
  /** The only models that its requests may be answered by; empty: all of its groups. */
  readonly models: readonly string[]
  /** Backends elsewhere do not serve it; empty: any region. */
  readonly regions: readonly string[]
  /** What a backend must promise about data. */
  readonly dataPolicy: readonly string[]
  /** Whether no other model may answer than the one that is asked for (C24). */
  readonly strictModel: boolean
  /** What is tried for a model that names no fallbacks of its own, before those of the group (R68); absent: nothing. */
  readonly fallbacks?: readonly string[]
  /** Backends for when all others fail (B11), the operator's to give; absent: those of the model and the group. */
  readonly breakGlass?: readonly KeyBreakGlass[]
  /** What each session of an agent may use (B14); absent: whatever the key may. */
  readonly session?: KeySession
  /** Networks in CIDR notation that its requests may come from; empty: any (R15). */
  readonly ipAllow: readonly string[]
  /** Networks that its requests may never come from. */
  readonly ipDeny: readonly string[]
}

/** Bounds of every session that the key opens; null: none. */
export interface KeySession {
  /** Decimal USD. */
  readonly maxUsd: string | null
  readonly maxRequests: number | null
  readonly maxDurationS: number | null
  /** The only models that may answer; empty: any that the key may use. */
  readonly models: readonly string[]
  /** Of a million tokens in decimal USD, for input as for output. */
  readonly maxPrice: string | null
  /** What becomes of an agent that goes in a circle. */
  readonly loop: 'warn' | 'block' | 'off'
  /** Repetitions that are a circle. */
  readonly loopTurns: number
}

export interface KeyBreakGlass {
  readonly on: readonly ('402' | 'outage')[]
  /** Of a backend. */
  readonly use: string
  /** Decimal USD. */
  readonly maxUsd: string
  readonly period: 'daily' | 'weekly' | 'monthly'
  readonly notify: boolean
}

/** Whether what is asked and answered is kept, and for how long (R101). */
export interface ContentWish {
  /** `metadata`: sizes and keyed digests, no text. */
  readonly mode: 'none' | 'metadata' | 'full'
  readonly retentionDays: number
}

/** What is written down of a key's requests, besides what is of all. */
export interface KeyRecord {
  /** Names the application where the request itself does not (R103). */
  readonly app: string | null
  /** Null: what its account says. */
  readonly content: ContentWish | null
}

/** `test`: faults may be played with real models (B12), and log rows are labelled. */
export type KeyEnvironment = 'production' | 'test'

/** What is stored of a key. The plaintext is shown once at its creation and exists nowhere else (R15). */
export interface ApiKey {
  readonly id: string
  /** SHA-256 of pepper and key in hex; identifies the key in management paths and is no credential. */
  readonly hash: string
  /** First 8 and last 4 characters, for display. */
  readonly label: string
  readonly accountId: string
  readonly name: string
  readonly kind: 'inference' | 'management'
  readonly system: string | null
  /** The first is the one its requests are in unless they name another (R63). */
  readonly groups: readonly string[]
  readonly disabled: boolean
  readonly limitNano: NanoUsd | null
  readonly limitReset: LimitReset | null
  /** Null: no limit over time. */
  readonly rateLimits: LimitSet | null
  /** Null: it demands nothing. */
  readonly policy: KeyPolicy | null
  /** Null: nothing unusual. */
  readonly record: KeyRecord | null
  readonly environment: KeyEnvironment
  readonly expiresMs: number | null
  readonly createdMs: number
  readonly updatedMs: number
}

/** Who is calling: the outcome of step 2. */
export interface Caller {
  readonly account: Pick<Account, 'id' | 'email' | 'mode' | 'status' | 'tier'> & {
    /** Absent: 1. */
    readonly chargeFactor?: bigint
  }
  /** Null in local mode (`--disable-auth`). */
  readonly key: ApiKey | null
  readonly billing: BillingMode
  /** What is kept of what this request asks and is answered; nearly always absent or null: nothing. */
  readonly contentLog?: ContentWish | null
}

/** Looks a presented key up. A key whose checksum is wrong never reaches the store. */
export interface KeyRing {
  /**
   * Throws GatewayError: invalid_api_key, key_disabled, key_expired, account_suspended, store_unavailable. Synchronous on a warm key.
   * `connection`: who presents it; the digest of its last key is not computed again.
   */
  find(presented: string, nowMs: number, connection?: object): Caller | Promise<Caller>
  /** The same, past what is kept warm: for a refusal that a change on another node may have made wrong. */
  findFresh(presented: string, nowMs: number): Promise<Caller>
  /** Forgets cached keys after a change, so that the next request sees it. */
  forget(keyId?: string): void
  /** The same for the keys of one account, whose money has changed. */
  forgetAccount(accountId: string): void
}

export interface LedgerEntry {
  readonly id: string
  readonly accountId: string
  readonly type: EntryType
  /** Signed: a debit is negative. */
  readonly amountNano: NanoUsd
  readonly balanceAfterNano: NanoUsd
  readonly requestId: string | null
  readonly note: string | null
  readonly actor: string
  readonly createdMs: number
  /** What a credit was paid by: a voucher, a payment, a refund of one. */
  readonly paymentRef: string | null
}

export interface Page<T> {
  readonly data: readonly T[]
  readonly nextCursor: string | null
}

/** Accounts and their money as the control plane and the CLI see them. Bad input throws GatewayError('invalid_parameter' | 'not_found' | 'state_conflict'). */
export interface Accounts {
  create(input: {
    email: string
    mode: Account['mode']
    creditNano?: NanoUsd
    creditLimitNano?: NanoUsd | null
    /** Assigned: it stays, whatever the account buys. */
    tier?: string
    /** Of an account that has bought nothing yet; default: `default`. */
    firstTier?: string
    actor: string
  }): Promise<Account>
  get(id: string): Promise<Account | undefined>
  findByEmail(email: string): Promise<Account | undefined>
  list(page: { limit: number; cursor?: string }): Promise<Page<Account>>
  credit(
    accountId: string,
    /** `expiresMs` of a topup or a grant: what is left of it then leaves the balance. */
    input: { amountNano: NanoUsd; type?: EntryType; note?: string; actor: string; expiresMs?: number },
  ): Promise<LedgerEntry>
  setStatus(accountId: string, status: Account['status']): Promise<Account>
  /** Null: the one that its purchases reach. */
  setTier(accountId: string, tier: string | null): Promise<Account>
  /** From the next request on; at most FACTOR_PPM_MAX. */
  setChargeFactor(accountId: string, factorPpm: bigint): Promise<Account>
  /** What is kept of the requests of its keys that say nothing themselves; null: nothing was ever said. */
  contentLog(accountId: string): Promise<ContentWish | null>
  setContentLog(accountId: string, wish: ContentWish | null): Promise<void>
  /** Newest first; `cursor` continues behind the last entry of the page before. */
  entries(query: { accountId?: string; limit: number; cursor?: string }): Promise<Page<LedgerEntry>>
  /** What is left of its credits that end, the first end in front. */
  creditsLeft(accountId: string): Promise<readonly { readonly leftNano: NanoUsd; readonly expiresMs: number }[]>
  /** Sum of all topups and grants, and of all usage as a positive number (`GET /api/v1/credits`). */
  totals(accountId: string): Promise<{ creditedNano: NanoUsd; usedNano: NanoUsd }>
}

export interface KeyUsage {
  readonly totalNano: NanoUsd
  readonly dailyNano: NanoUsd
  readonly weeklyNano: NanoUsd
  readonly monthlyNano: NanoUsd
  /** Spent and held within the current limit period. */
  readonly limitUsedNano: NanoUsd
}

export interface NewKey {
  readonly name: string
  readonly accountId: string
  readonly kind?: ApiKey['kind']
  readonly system?: string | null
  /** Absent: the default group. */
  readonly groups?: readonly string[]
  readonly limitNano?: NanoUsd | null
  readonly limitReset?: LimitReset | null
  readonly rateLimits?: LimitSet | null
  readonly policy?: KeyPolicy | null
  readonly record?: KeyRecord | null
  readonly environment?: KeyEnvironment
  readonly expiresMs?: number | null
}

/** What an application gets when it exchanges its code. Plain data; the amount is a text, because it is kept as JSON. */
export interface KeyCode {
  readonly accountId: string
  readonly wish: Pick<ApiKey, 'name' | 'system' | 'groups' | 'limitReset' | 'expiresMs'> & {
    readonly limitNano: string | null
  }
}

export interface KeyCodes {
  /** A code that counts once, for ten minutes. */
  createCode(
    input: KeyCode & {
      readonly challenge: { readonly text: string; readonly method: 'S256' | 'plain' } | null
      readonly nowMs: number
    },
  ): Promise<string>
  /** Null for a code that is unknown, used, too old, or whose verifier is wrong; it is gone in any case. */
  takeCode(code: string, verifier: string | undefined, nowMs: number): Promise<KeyCode | null>
}

export interface Keys extends KeyCodes {
  /** `plaintext` is shown once and stored nowhere. */
  create(input: NewKey): Promise<{ key: ApiKey; plaintext: string }>
  get(hash: string): Promise<ApiKey | undefined>
  list(query: {
    accountId?: string
    limit: number
    offset: number
    includeDisabled: boolean
  }): Promise<readonly ApiKey[]>
  update(
    hash: string,
    change: {
      name?: string
      groups?: readonly string[]
      disabled?: boolean
      limitNano?: NanoUsd | null
      limitReset?: LimitReset | null
      rateLimits?: LimitSet | null
      policy?: KeyPolicy | null
      record?: KeyRecord | null
      environment?: KeyEnvironment
      expiresMs?: number | null
      system?: string | null
    },
  ): Promise<ApiKey>
  /** Another secret for the same key; the old one works until `previousUntilMs`. */
  rotate(hash: string, previousUntilMs: number): Promise<{ key: ApiKey; plaintext: string }>
  remove(hash: string): Promise<void>
  usage(key: ApiKey, nowMs: number): Promise<KeyUsage>
}
