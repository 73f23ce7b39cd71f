import { Command, Option as CommanderOption } from 'commander'
import { CONFIG_OPTION, type Option, OPTIONS, PROVIDER_OPTIONS } from '#config/options.ts'

/** Given flags by their name without dashes, as `loadConfig` takes them. */
export type Flags = Record<string, string | boolean>

/** Adds every configuration flag to a command; `--help` lists flag, variable and default from the one table (R110). */
export function addConfigFlags(command: Command): Command {
  command.addOption(new CommanderOption(`--${CONFIG_OPTION.flag} <file>`, describe(CONFIG_OPTION)))
  for (const option of OPTIONS) {
    if (option.flag === undefined) continue
    command.addOption(new CommanderOption(`--${option.flag}${operandOf(option)}`, describe(option)))
  }
  for (const option of PROVIDER_OPTIONS) {
    if (option.flag === undefined) continue
    const operand = option.setting === 'api_key' ? 'key' : 'url'
    command.addOption(new CommanderOption(`--${option.flag} <${operand}>`, describe(option)))
  }
  return command
}

/** The flags that were really given; defaults are the configuration's own business. */
export function givenFlags(command: Command): Flags {
  const known = new Set<string>([CONFIG_OPTION.flag])
  for (const { flag } of [...OPTIONS, ...PROVIDER_OPTIONS]) if (flag !== undefined) known.add(flag)
  const flags: Flags = {}
  for (const option of command.options) {
    const name = option.long?.replace(/^--/, '') ?? ''
    const attribute = option.attributeName()
    if (!known.has(name) || command.getOptionValueSource(attribute) !== 'cli') continue
    flags[name] = command.getOptionValue(attribute) as string | boolean
  }
  return flags
}

function operandOf(option: Option): string {
  switch (option.type) {
    case 'boolean':
      return ''
    case 'integer':
      return ' <number>'
    case 'seconds':
      return ' <seconds>'
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

function describe(option: { description: string; env?: string; default?: Option['default'] }): string {
  const facts: string[] = []
  if (option.env !== undefined) facts.push(`env ${option.env}`)
  if (option.default !== undefined && !Array.isArray(option.default)) facts.push(`default ${String(option.default)}`)
  return facts.length > 0 ? `${option.description} (${facts.join(', ')})` : option.description
}
