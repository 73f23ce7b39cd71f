import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { isMap, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { expandVariables, parseBoolean, parseNumber, type Environment } from './environment.ts'
import { ConfigError } from './error.ts'

/** A larger file is refused: it is a mistake, not a configuration. */
export const FILE_BYTES_MAX = 8 * 1024 * 1024
/** Looked for in the working directory when no file is named (R112). */
const USUAL_PLACES = ['config.yaml', join('config', 'config.yaml')]

export interface ConfigDocument {
  /** Absolute path; null when there is no file. */
  readonly path: string | null
  readonly values: Record<string, unknown>
}

/** Finds, reads and expands the file. Throws ConfigError with `file:line:column: reason` for each fault of its syntax. */
export function readDocument(named: string | undefined, cwd: string, env: Environment): ConfigDocument {
  const path = findFile(named, cwd)
  if (path === null) return { path, values: {} }
  let text: string
  try {
    const { size } = statSync(path)
    if (size > FILE_BYTES_MAX) {
      throw new ConfigError([`${path}: larger than ${FILE_BYTES_MAX} bytes (${size}).`])
    }
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown
    const reason = (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (thrown as Error).message
    throw new ConfigError([`${path}: cannot be read: ${reason}.`])
  }
  return { path, values: parseConfig(text, path, env) }
}

function findFile(named: string | undefined, cwd: string): string | null {
  if (named !== undefined) return isAbsolute(named) ? named : join(cwd, named)
  for (const place of USUAL_PLACES) {
    const path = join(cwd, place)
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
  }
  return null
}

/** YAML (and so JSON) text to plain values with variables expanded. `name` stands in front of each error line. */
export function parseConfig(text: string, name: string, env: Environment): Record<string, unknown> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((fault) => {
        const { line, col } = lines.linePos(fault.pos[0])
        return `${name}:${line}:${col}: ${fault.message.replace(/\s+/g, ' ')}`
      }),
    )
  }
  if (document.contents !== null && !isMap(document.contents) && document.toJS() !== null) {
    throw new ConfigError([`${name}:1:1: expected a mapping of settings at the top level.`])
  }
  expandScalars(document, name, lines, env)
  return (document.toJS() ?? {}) as Record<string, unknown>
}

function expandScalars(document: Document, name: string, lines: LineCounter, env: Environment): void {
  const faults: string[] = []
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return
      const missing: string[] = []
      const expanded = expandVariables(node.value, env, missing)
      const { line, col } = lines.linePos(node.range?.[0] ?? 0)
      for (const variable of missing) {
        faults.push(`${name}:${line}:${col}: environment variable ${variable} is not set and has no default.`)
      }
      node.value = node.type === 'PLAIN' ? asTyped(expanded) : expanded
    },
  })
  if (faults.length > 0) throw new ConfigError(faults)
}

/** An unquoted `${PORT}` means the number, so the expanded text is typed again where that loses nothing. */
function asTyped(text: string): unknown {
  const number = parseNumber(text)
  if (number !== undefined && String(number) === text) return number
  if (/^(true|false)$/i.test(text)) return parseBoolean(text)
  return text
}
