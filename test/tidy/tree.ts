/** Reads the project as the rules see it: files that belong to it, and who imports whom. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import type { Import } from './rules.ts'

export const ROOT = resolve(import.meta.dirname, '..', '..')

export interface SourceFile {
  /** Relative to the project, with slashes. */
  readonly path: string
  readonly text: string
}

export interface ImportLine {
  readonly path: string
  readonly target: string
  readonly kind: Import
}

const TEXT = /\.(ts|tsx|js|mjs|cjs|json|md|yaml|yml|css|html|svg|sh)$|(^|\/)(\.gitignore|\.npmrc|LICENSE|run|trivium)$/

/** Tracked and new files; in a copy without git, everything that is not installed or generated. */
export function listFiles(): string[] {
  const listed = existsSync(join(ROOT, '.git'))
    ? gitFiles()
    : globSync('**/*', { cwd: ROOT, exclude: ['node_modules', 'data', 'coverage'] })
  return listed
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() ?? false)
    .sort()
}

function gitFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  return output
    .toString()
    .split('\0')
    .filter((path) => path !== '')
}

export function readSources(paths: readonly string[]): SourceFile[] {
  return paths.filter((path) => TEXT.test(path)).map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([#.][^']*)'/gm
const LAZY_IMPORT = /\bimport\(\s*'([#.][^']*)'\s*\)/g

/** Every import of our own files, static and lazy. A lazy one is a value: its code runs. */
export function importsOf({ path, text }: SourceFile): ImportLine[] {
  const fixed = [...text.matchAll(IMPORT)].map((match): ImportLine => ({
    path,
    target: match[2]!,
    kind: match[1] === undefined ? 'values' : 'types',
  }))
  const lazy = [...text.matchAll(LAZY_IMPORT)].map((match): ImportLine => ({ path, target: match[1]!, kind: 'values' }))
  return [...fixed, ...lazy]
}

/** `src/ledger/x.ts` -> `ledger`; `src/main.ts` -> `main`; undefined outside src. */
export function folderOf(path: string): string | undefined {
  const [top, folder, ...rest] = path.split('/')
  if (top !== 'src' || folder === undefined) return undefined
  return rest.length === 0 ? folder.replace(/\.ts$/, '') : folder
}

/** The file that an import names: `#ledger/types.ts` -> `src/ledger/types.ts`. */
export function resolveImport({ path, target }: ImportLine): string {
  if (target.startsWith('.')) return posix.normalize(posix.join(posix.dirname(path), target))
  if (target === '#main') return 'src/main.ts'
  return target.startsWith('#test/') ? target.slice(1) : `src/${target.slice(1)}`
}
