import { Command, CommanderError } from 'commander'
import { nearest } from '#config/suggest.ts'
import { CliError, failureLines } from './failure.ts'
import { addConfigFlags, type Flags, givenFlags } from './flags.ts'
import type { Output } from './output.ts'
import { readVersion } from '#base/version.ts'

/** Where a command runs. */
export interface Terminal extends Output {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** What every command gets besides its own arguments. */
export interface Run extends Terminal {
  readonly flags: Flags
  readonly json: boolean
}

/**
 * Runs one command and gives the exit code: 0 done, 1 failed (one line per problem on stderr), 2 misused. Each command's
 * code is loaded when it runs, so that `serve` pays for nothing but itself.
 */
export async function runCli(terminal: Terminal): Promise<number> {
  const outcome = { exitCode: 0 }
  const program = buildProgram(terminal, outcome)
  try {
    refuseUnknownCommand(program, terminal.args)
    await program.parseAsync([...terminal.args], { from: 'user' })
    return outcome.exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
    for (const line of failureLines(thrown, Boolean(terminal.env['DEBUG']))) terminal.error(line)
    return thrown instanceof CliError ? thrown.exitCode : 1
  }
}

function buildProgram(terminal: Terminal, outcome: { exitCode: number }): Command {
  const program = new Command('trivium')
    .description('One key, three protocols: a self-hosted gateway for large language models.')
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.error(text.trimEnd()),
    })
  const start =
    (work: (run: Run, args: string[], options: Record<string, unknown>) => Promise<number | void>) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command
      const options = command.opts<Record<string, unknown>>()
      const run: Run = { ...terminal, flags: givenFlags(command), json: options['json'] === true }
      outcome.exitCode = (await work(run, command.args, options)) ?? 0
    }
  addServe(program, start)
  addAccounts(program, start)
  addKeys(program, start)
  addChecks(program, start)
  return program
}

type Start = (
  work: (run: Run, args: string[], options: Record<string, unknown>) => Promise<number | void>,
) => (...given: unknown[]) => Promise<void>

function addServe(program: Command, start: Start): void {
  addConfigFlags(
    program.command('serve', { isDefault: true }).description('Run the gateway (the default command).'),
  ).action(start(async (run) => (await import('./serve.ts')).serve(run)))
  const planes = {
    gateway: 'Run model traffic alone, without the page and the management of keys and accounts.',
    portal: 'Run the page and the management alone, without model traffic.',
  } as const
  for (const plane of ['gateway', 'portal'] as const) {
    addConfigFlags(program.command(plane).description(planes[plane])).action(
      start(async (run) => (await import('./serve.ts')).serve(run, plane)),
    )
  }
}

function addAccounts(program: Command, start: Start): void {
  const accounts = program.command('accounts').description('List, open, credit and suspend accounts.')
  const load = () => import('./accounts.ts')
  const add = (usage: string, description: string) => withJson(accounts.command(usage).description(description))
  add('list', 'List all accounts.').action(start(async (run) => (await load()).listAccounts(run)))
  add('create <email>', 'Open an account.')
    .option('--mode <mode>', 'prepaid or postpaid', 'prepaid')
    .option('--credit <usd>', 'first credit, such as 10.00')
    .option('--credit-limit <usd>', 'postpaid: how far below zero the balance may go')
    .action(start(async (run, [email], options) => (await load()).createAccount(run, email!, options)))
  add('show <account>', 'Show one account by its id or e-mail address.').action(
    start(async (run, [account]) => (await load()).showAccount(run, account!)),
  )
  add('credit <account> <usd>', 'Add credit to an account.')
    .option('--note <text>', 'what for')
    .action(
      start(async (run, [account, amount], options) => (await load()).creditAccount(run, account!, amount!, options)),
    )
  add('suspend <account>', 'Refuse every request of an account.').action(
    start(async (run, [account]) => (await load()).setAccountStatus(run, account!, 'suspended')),
  )
  add('activate <account>', 'Lift a suspension.').action(
    start(async (run, [account]) => (await load()).setAccountStatus(run, account!, 'active')),
  )
}

function addKeys(program: Command, start: Start): void {
  const keys = program.command('keys').description('List, create, disable and delete API keys.')
  const load = () => import('./keys.ts')
  const add = (usage: string, description: string) => withJson(keys.command(usage).description(description))
  add('list', 'List keys, disabled ones included.')
    .option('--account <account>', 'only this account (id or e-mail)')
    .action(start(async (run, _, options) => (await load()).listKeys(run, options)))
  add('create <name>', "Create a key and show it once; without --account for the operator's own account.")
    .option('--account <account>', 'account (id or e-mail)')
    .option('--limit <usd>', 'spending limit')
    .option('--limit-reset <period>', 'daily, weekly or monthly')
    .option('--expires-at <time>', 'ISO 8601 time')
    .option('--system <tag>', 'business system the key is for')
    .option('--group <group...>', 'groups the key is in, its own one first; default: default')
    .option('--management', 'a key that manages keys and cannot call models')
    .action(start(async (run, [name], options) => (await load()).createKey(run, name!, options)))
  add('disable <key>', 'Disable a key by its hash or the start of it.').action(
    start(async (run, [key]) => (await load()).setKeyDisabled(run, key!, true)),
  )
  add('enable <key>', 'Enable a key again.').action(
    start(async (run, [key]) => (await load()).setKeyDisabled(run, key!, false)),
  )
  add('delete <key>', 'Delete a key; its log rows stay.').action(
    start(async (run, [key]) => (await load()).deleteKey(run, key!)),
  )
}

function addChecks(program: Command, start: Start): void {
  const config = program.command('config').description('Check or print the configuration.')
  withJson(config.command('check').description('Exit 0 when the configuration is valid.')).action(
    start(async (run) => (await import('./config.ts')).checkConfig(run)),
  )
  withJson(config.command('print').description('Print every effective setting and where it came from.')).action(
    start(async (run) => (await import('./config.ts')).printConfig(run)),
  )
  withJson(program.command('doctor').description('Check everything the gateway needs; exit 1 names what fails.'))
    .option('--ledger', 'only the database and its books')
    .option('--offline', 'do not ask the providers')
    .action(start(async (run, _, options) => (await import('./doctor.ts')).runDoctor(run, options)))
  withJson(program.command('migrate').description('Bring the database up to date; every start does so too.')).action(
    start(async (run) => (await import('./migrate.ts')).migrateStore(run)),
  )
  withJson(
    program
      .command('explain <model>')
      .description('Show what this configuration makes of a model name, and where a request would go.'),
  )
    .option('--group <group>', 'as a key of this group')
    .option('--protocol <name>', 'chat (default), responses, messages, gemini or embeddings')
    .action(start(async (run, [model], options) => (await import('./explain.ts')).explainModel(run, model!, options)))
  const receipts = program.command('receipts').description('How costs came about.')
  withJson(receipts.command('verify').description('Recompute each request and compare it with the ledger.'))
    .option('--from <time>', 'ISO 8601 time; default: 30 days ago')
    .option('--to <time>', 'ISO 8601 time; default: now')
    .action(start(async (run, _, options) => (await import('./receipts.ts')).verifyReceipts(run, options)))
  withJson(receipts.command('reconcile').description("Compare a provider's invoice with the metered cost."))
    .requiredOption('--file <csv>', 'the invoice: day, model, cost, and optionally backend')
    .option('--of <backend>', 'whose invoice it is, where the file does not say; also --backend')
    .action(start(async (run, _, options) => (await import('./receipts.ts')).reconcileInvoice(run, options)))
  const providers = program.command('providers').description('Built-in providers.')
  withJson(providers.command('list').description('List them with their environment variables.')).action(
    start(async (run) => (await import('./providers.ts')).listProviders(run)),
  )
  addBackends(program, start)
  withJson(
    program
      .command('check-model <model>')
      .description('Ask a model small real questions, and compare what it can do with what the catalog says of it.'),
  )
    .option('--group <group>', 'through the routes of this group')
    .option('--protocol <names>', 'all, or chat, responses, messages, gemini, separated by commas', 'all')
    .action(
      start(async (run, [model], options) =>
        (await import('./check-model/check-model.ts')).checkModel(run, model!, options),
      ),
    )
  const catalog = program.command('catalog').description('The model catalog of this configuration.')
  withJson(catalog.command('list').description('List the models that can be called.')).action(
    start(async (run) => (await import('./catalog.ts')).listCatalog(run)),
  )
}

function addBackends(program: Command, start: Start): void {
  const backends = program.command('backends').description('List backends and read their model lists.')
  withJson(backends.command('list').description('List the configured backends.')).action(
    start(async (run) => (await import('./backends.ts')).listBackends(run)),
  )
  withJson(
    backends
      .command('sync <backend>')
      .description("Compare the backend's own model list with what was accepted of it.")
      .option('--accept <ids>', "accept 'all' proposals, or those of these ids, separated by commas"),
  ).action(
    start(async (run, [backend], options) => (await import('./backends.ts')).syncBackend(run, backend!, options)),
  )
  const routes = program.command('routes').description('Which backend serves which model.')
  withJson(routes.command('list').description('List the active routes in the order in which they are tried.')).action(
    start(async (run) => (await import('./backends.ts')).listRoutes(run)),
  )
}

const withJson = (command: Command): Command =>
  addConfigFlags(command.option('--json', 'print JSON instead of a table'))

/** A default command would take a misspelt one for its argument. */
function refuseUnknownCommand(program: Command, args: readonly string[]): void {
  const first = args[0]
  if (first === undefined || first.startsWith('-')) return
  const names = [...program.commands.map((command) => command.name()), 'help']
  if (names.includes(first)) return
  const meant = nearest(first, names)
  throw new CliError(`there is no command '${first}'${meant ? `; did you mean '${meant}'?` : ''}`, 2)
}
