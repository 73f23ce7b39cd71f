/**
 * One row of the table of settings: what the parser, `--help` and the reference page know of it (R110, R111). `path` is its
 * place in the YAML file.
 */
export interface Option {
  readonly path: string
  readonly env?: string
  /** Without the leading dashes. */
  readonly flag?: string
  /** Another spelling of the flag, kept from the reference. */
  readonly alsoFlag?: string
  readonly type: OptionType
  readonly default?: string | number | boolean | readonly string[]
  readonly description: string
  /** Masked wherever the effective configuration is shown. */
  readonly secret?: true
  /** Flag and variable switch the setting off: their yes is the file's no. */
  readonly inverted?: true
  /** A value that cannot be read is told as a warning and counts as unset. */
  readonly lenient?: true
}

/**
 * `aliases`: `PATTERN=REPLACEMENT`, repeatable, or a JSON array in the variable (R38). `identity`: a value that stands in
 * place of the client's own (R114).
 */
export type OptionType = 'text' | 'integer' | 'number' | 'seconds' | 'boolean' | 'list' | 'aliases' | 'identity'
