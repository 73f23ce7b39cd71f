import { z } from 'zod'
import { CONFIG_OPTION, type Option, OPTIONS, PROVIDER_OPTIONS, shownDefault } from '#config/options.ts'
import { isPending } from '#config/pending.ts'
import { fileSchema } from '#config/schema.ts'
import { PRESETS } from '#providers/presets.ts'

/** docs/configuration.md, from the very tables that the parser reads (R111). */
export function configurationPage(): string {
  return `${[
    '# Configuration',
    'Written by `npm run docs:configuration` from the tables of the parser; not edited by hand.',
    'A flag wins over an environment variable, that over `.env` of the working directory, that over the YAML file, that over the default; setting by setting, except `model_aliases`, which is replaced as a whole. Truth values are 1, true, yes, on and 0, false, no, off. The file is `--config` or `CONFIG_FILE`, else `./config.yaml`, else `./config/config.yaml`. In it `${VARIABLE}` and `${VARIABLE:-default}` are replaced by the environment.',
    '`bin/trivium config check` names every problem with its place; `bin/trivium config print` shows the effective values, where each came from, and no secret. An unknown setting at the top of the file is an error, deeper a warning. A changed file is read again while the gateway runs, and on SIGHUP; a broken one is reported and the old one stays. A change of `server.host`, `server.port`, `server.data_dir`, `server.database_url`, `server.anthropic_port`, `auth.master_key`, `auth.disable_auth`, `logging.file`, `logging.capture_file` and `usage_tracking.enabled` needs a restart, and is logged.',
    'Settings marked ⧗ are read, checked and shown, and not yet in effect; a start that is given one warns of it.',
    '## Settings',
    settingsTable(),
    '## Providers',
    'A provider is used when its key is set. `_1`, `_2` and so on behind the name of a key rotate, and win over the plain one. A provider that is called so in `backends:` takes these in place of what the file says.',
    providersTable(),
    '## The file',
    'Every place of the YAML file. `[]` is any entry of a list, `*` any name.',
    placesTable(),
  ].join('\n\n')}\n`
}

const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``)

function settingsTable(): string {
  const config = `| ${code(CONFIG_OPTION.env)} | ${code(`--${CONFIG_OPTION.flag}`)} | | | ${CONFIG_OPTION.description} |`
  const rows = OPTIONS.map((option) => {
    const mark = isPending(option.path) ? ' ⧗' : ''
    return `| ${code(option.env)} | ${flagsOf(option)} | ${code(option.path)}${mark} | ${defaultOf(option)} | ${option.description} |`
  })
  return [
    '| variable | flag | in the file | default | meaning |',
    '| --- | --- | --- | --- | --- |',
    config,
    ...rows,
  ].join('\n')
}

const flagsOf = ({ flag, alsoFlag }: Option): string =>
  [flag, alsoFlag].flatMap((name) => (name === undefined ? [] : [code(`--${name}`)])).join(' ')

/** Of the flag: a switch that turns something off has the opposite default of its place in the file. */
function defaultOf(option: Option): string {
  const value = shownDefault(option)
  return value === undefined || (Array.isArray(value) && value.length === 0) ? '' : code(String(value))
}

function providersTable(): string {
  const rows = PRESETS.filter(({ envPrefixes }) => envPrefixes.length > 0).map(({ type, label }) => {
    const names = (setting: string, named: 'env' | 'flag') =>
      PROVIDER_OPTIONS.filter((option) => option.type === type && option.setting === setting)
        .flatMap((option) =>
          option[named] === undefined ? [] : [code((named === 'flag' ? '--' : '') + option[named])],
        )
        .join(' ')
    const cells = [names('api_key', 'env'), names('api_base_url', 'env'), names('timeout', 'env')]
    return `| ${label} | ${code(type)} | ${cells.join(' | ')} | ${names('api_key', 'flag')} ${names('api_base_url', 'flag')} |`
  })
  return [
    '| provider | type | key | base URL | seconds | flags |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function placesTable(): string {
  const rows = [...placesOf(fileSchema, '')].map(([path, what]) => {
    const mark = isPending(path.replaceAll('[]', '[0]')) ? ' ⧗' : ''
    return `| ${code(path)}${mark} | ${what} |`
  })
  return ['| place | value |', '| --- | --- |', ...rows].join('\n')
}

/** Every place of a schema with what may stand there. */
function* placesOf(schema: z.core.$ZodType, path: string): Generator<[string, string]> {
  const plain = unwrap(schema)
  if (plain instanceof z.ZodObject) {
    if (path !== '' && Object.keys(plain.shape).length === 0) yield [path, 'anything']
    for (const [key, part] of Object.entries(plain.shape)) {
      yield* placesOf(part as z.core.$ZodType, path === '' ? key : `${path}.${key}`)
    }
  } else if (plain instanceof z.ZodRecord && isBlock(unwrap(plain.valueType)))
    yield* placesOf(plain.valueType, `${path}.*`)
  else if (plain instanceof z.ZodArray && isBlock(unwrap(plain.element))) yield* placesOf(plain.element, `${path}[]`)
  else yield [path, wordsOf(plain)]
}

const isBlock = (schema: z.core.$ZodType): boolean => schema instanceof z.ZodObject

/** Without what only says that it may be absent, or how it is read. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return unwrap(schema.unwrap() as z.core.$ZodType)
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.core.$ZodType)
  return schema
}

function wordsOf(given: z.core.$ZodType): string {
  const schema = unwrap(given)
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => code(String(option))).join(' ')
  if (schema instanceof z.ZodString) return 'text'
  if (schema instanceof z.ZodNumber) return schema.isInt ? 'whole number' : 'number'
  if (schema instanceof z.ZodBoolean) return 'true or false'
  if (schema instanceof z.ZodArray) return `list of ${wordsOf(schema.element as z.core.$ZodType)}`
  if (schema instanceof z.ZodRecord) return `name: ${wordsOf(schema.valueType as z.core.$ZodType)}`
  if (schema instanceof z.ZodUnion) {
    return [...new Set(schema.options.map((option) => wordsOf(option as z.core.$ZodType)))].join(', or ')
  }
  if (schema instanceof z.ZodObject) return 'a block'
  return schema instanceof z.ZodCustom ? 'number, text, list or block' : 'anything'
}
