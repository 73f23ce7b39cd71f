/** The configuration cannot be used. `lines` has one clear sentence per problem, fit for a terminal; no secrets. */
export class ConfigError extends Error {
  readonly lines: readonly string[]

  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'ConfigError'
    this.lines = lines
  }
}
