import { formatUsd } from '#base/money.ts'
import type { TrialLine } from '#ledger/trial-balance.ts'
import { checkBackends, checkCatalog, checkConfig, checkDataDir, checkStore, type Finding } from './doctor-checks.ts'
import { checkProviders } from './doctor-providers.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

/**
 * Checks everything a gateway needs, in the order in which one thing depends on another, and goes on where it can: one run
 * names every failing item. Exit 1 when any failed (R109). `--ledger` asks nothing but the books (B1).
 */
export async function runDoctor(run: Run, options: Record<string, unknown> = {}): Promise<number> {
  const { finding: config, loaded } = checkConfig(run)
  const findings: Record<string, Finding> = { config }
  const onlyLedger = options['ledger'] === true
  if (loaded) {
    if (!onlyLedger) findings['backends'] = checkBackends(loaded.settings)
    if (!onlyLedger && options['offline'] !== true) Object.assign(findings, await checkProviders(loaded.settings))
    findings['data_dir'] = checkDataDir(loaded.settings)
    // Without its folder there is no database to check, and one failing item is named once.
    if (!findings['data_dir'].failed) Object.assign(findings, await checkStore(loaded.settings))
  }
  if (!onlyLedger) findings['catalog'] = await checkCatalog(run, loaded)
  const failed = Object.entries(findings).filter(([, finding]) => finding.failed)
  const ok = failed.length === 0
  if (run.json) run.out(json({ ok, ...Object.fromEntries(Object.entries(findings).map(strip)) }))
  else {
    printForPeople(run, findings)
    if (onlyLedger) printTrialBalance(run, findings['ledger']?.trialBalance ?? [])
  }
  if (!ok) run.error(`trivium: doctor found problems in ${failed.map(([name]) => name).join(', ')}.`)
  return ok ? 0 : 1
}

const strip = ([name, { status, detail, problems, trialBalance }]: [string, Finding]): [string, unknown] => [
  name,
  { status, detail, problems, ...(trialBalance && { trial_balance: trialBalance.map(amountsOf) }) },
]

/** Amounts as decimals: debit, credit, and what the account has of the latter beyond the former. */
const amountsOf = ({ account, debitNano, creditNano }: TrialLine) => ({
  account,
  debit: formatUsd(debitNano),
  credit: formatUsd(creditNano),
  balance: formatUsd(creditNano - debitNano),
})

function printForPeople(run: Run, findings: Readonly<Record<string, Finding>>): void {
  const width = Math.max(...Object.keys(findings).map((name) => name.length))
  for (const [name, finding] of Object.entries(findings)) {
    const mark = finding.failed ? 'FAIL' : 'ok  '
    run.out(`${mark}  ${name.padEnd(width)}  ${finding.detail}`)
    for (const problem of finding.problems) run.out(`${' '.repeat(width + 8)}- ${problem}`)
  }
}

function printTrialBalance(run: Run, lines: readonly TrialLine[]): void {
  if (lines.length === 0) return
  const rows = lines.map(amountsOf).map(({ account, debit, credit, balance }) => [account, debit, credit, balance])
  run.out(`\n${table(['account', 'debit', 'credit', 'balance'], rows)}`)
}
