/** A failure with a text for the terminal: one clear line per problem, no stack. Exit 1 is what failed, 2 is misuse. */
export class CliError extends Error {
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

interface NodeFailure {
  readonly code?: string
  readonly address?: string
  readonly port?: number
  readonly path?: string
}

/** The lines to print for a failure. What nobody foresaw is one line too; its stack is shown with DEBUG set. */
export function failureLines(thrown: unknown, debug = false): readonly string[] {
  if (!(thrown instanceof Error)) return [`trivium: ${String(thrown)}`]
  const { lines } = thrown as { lines?: unknown }
  if (Array.isArray(lines)) return lines.map((line) => `trivium: ${String(line)}`)
  const told = `trivium: ${nodeFailureText(thrown) ?? thrown.message.split('\n', 1)[0]}`
  return debug && thrown.stack && !(thrown instanceof CliError) ? [told, thrown.stack] : [told]
}

function nodeFailureText(thrown: Error): string | undefined {
  const { code, address, port, path } = thrown as NodeFailure
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port ?? '?'} on ${address ?? 'this host'} is already in use; choose another with --port or APP_PORT.`
    case 'EADDRNOTAVAIL':
      return `this host has no address ${address ?? '?'}; choose another with --host or APP_HOST.`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return path === undefined && port !== undefined
        ? `no permission to listen on port ${port}; choose a port above 1023 with --port or APP_PORT.`
        : `no permission to write ${path ?? 'the data folder'}; choose another folder with --data-dir or DATA_DIR.`
    case 'ENOENT':
      return path === undefined ? undefined : `${path} cannot be created; choose another with --data-dir or DATA_DIR.`
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path ?? 'the data folder'} is not a folder; choose another with --data-dir or DATA_DIR.`
    case 'ENOSPC':
      return 'there is no space left on the device of the data folder.'
    default:
      return undefined
  }
}
