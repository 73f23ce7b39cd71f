import { Command, Option as CommanderOption } from 'commander'
import { CONFIG_OPTION, type Option, OPTIONS, PROVIDER_OPTIONS, shownDefault } from '#config/options.ts'
import { isPending } from '#config/pending.ts'

/** Given flags by their name without dashes, as `loadConfig` takes them. */
export type Flags = Record<string, string | boolean | readonly string[]>

/** Adds every configuration flag to a command; `--help` lists flag, variable and default from the one table (R110). */
export function addConfigFlags(command: Command): Command {
  command.addOption(new CommanderOption(`--${CONFIG_OPTION.flag} <file>`, describe(CONFIG_OPTION)))
  for (const option of OPTIONS) {
    if (option.flag === undefined) continue
    addFlag(command, option, option.flag, describe(option))
    if (option.alsoFlag !== undefined) addFlag(command, option, option.alsoFlag, `The same as --${option.flag}.`)
  }
  for (const option of PROVIDER_OPTIONS) {
    if (option.flag === undefined) continue
    const operand = option.setting === 'api_key' ? 'key' : 'url'
    const flag = new CommanderOption(`--${option.flag} <${operand}>`, describe(option))
    if (option.setting === 'api_key') flag.argParser(collect)
    command.addOption(flag)
  }
  return command
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

function addFlag(command: Command, option: Option, name: string, description: string): void {
  const flag = new CommanderOption(`--${name}${operandOf(option)}`, description)
  if (option.type === 'aliases') flag.argParser(collect)
  command.addOption(flag)
}

/** The flags that were really given; defaults are the configuration's own business. */
export function givenFlags(command: Command): Flags {
  const known = new Set<string>([CONFIG_OPTION.flag])
  for (const { flag } of PROVIDER_OPTIONS) if (flag !== undefined) known.add(flag)
  for (const { flag, alsoFlag } of OPTIONS) for (const name of [flag, alsoFlag]) if (name !== undefined) known.add(name)
  const flags: Flags = {}
  for (const option of command.options) {
    const name = option.long?.replace(/^--/, '') ?? ''
    const attribute = option.attributeName()
    if (!known.has(name) || command.getOptionValueSource(attribute) !== 'cli') continue
    // The parser takes --no-x for the opposite of --x; here it is a name like any other.
    flags[name] = option.negate ? true : (command.getOptionValue(attribute) as Flags[string])
  }
  return flags
}

function operandOf(option: Option): string {
  switch (option.type) {
    case 'boolean':
      return ''
    case 'integer':
      return ' <number>'
    case 'number':
      return ' <number>'
    case 'seconds':
      return ' <seconds>'
    case 'aliases':
      return ' <pattern=replacement>'
    case 'identity':
      return ' <value>'
    case 'list':
      return ' <a,b>'
    case 'text':
      return ' <text>'
    default: {
      const missed: never = option.type
      throw new Error(`no operand for ${String(missed)}`)
    }
  }
}

interface Described extends Pick<Option, 'description'> {
  readonly path?: string
  readonly env?: string
  readonly default?: Option['default']
  readonly inverted?: true
}

function describe(option: Described): string {
  const facts: string[] = []
  if (option.env !== undefined) facts.push(`env ${option.env}`)
  const value = shownDefault(option)
  if (value !== undefined && !Array.isArray(value)) facts.push(`default ${String(value)}`)
  if (option.path !== undefined && isPending(option.path)) facts.push('not yet in effect')
  return facts.length > 0 ? `${option.description} (${facts.join(', ')})` : option.description
}
