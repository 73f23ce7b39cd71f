/** The checks themselves: each takes files and returns one line per problem, so that a planted fault can be tried on it. */
import {
  ALLOWED_LINES,
  type Ban,
  COMPOSITION,
  EMPTY_NAMES,
  FILE_LINES_MAX,
  IMPORTS,
  TEST_FILE,
  MODEL_IDS,
} from './rules.ts'
import { folderOf, type ImportLine, importsOf, resolveImport, type SourceFile } from './tree.ts'

const COMMENT = /^\s*(\/\/|\*|\/\*)/

/** Imports across folders that the table does not allow. Tests may import what they try. */
export function checkImports(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('src/') && !COMPOSITION.includes(path) && !TEST_FILE.test(path))
    .flatMap(importsOf)
    .flatMap((line) => {
      const [from, to] = [folderOf(line.path)!, folderOf(resolveImport(line))]
      if (from === to) return []
      const allowed = to === undefined ? undefined : IMPORTS[from]?.[to]
      if (allowed === 'values' || (allowed === 'types' && line.kind === 'types')) return []
      return [`${line.path} takes ${line.kind} from ${line.target}; allowed: ${allowed ?? 'nothing'}`]
    })
}

/** Steps of the data plane are numbered; a step takes only types from the steps before it and nothing from later ones. */
export function checkSteps(files: readonly SourceFile[]): string[] {
  const stepOf = (path: string): number | undefined => {
    const match = /^src\/data-plane\/(\d+)-/.exec(path)
    return match === null ? undefined : Number(match[1])
  }
  return files
    .filter(({ path }) => !TEST_FILE.test(path))
    .flatMap(importsOf)
    .flatMap((line) => {
      const [from, to] = [stepOf(line.path), stepOf(resolveImport(line))]
      if (from === undefined || to === undefined || from === to) return []
      if (to < from && line.kind === 'types') return []
      return [`${line.path} (step ${from}) takes ${line.kind} from ${line.target} (step ${to})`]
    })
}

/** Files that import each other in a circle while they load. Types vanish and lazy imports run later: neither counts. */
export function checkCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map((file) => [file.path, staticTargets(file)]))
  const done = new Set<string>()
  const problems: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) problems.push([...trail.slice(start), path].join(' -> '))
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return problems
}

function staticTargets(file: SourceFile): string[] {
  const lazy = new Set([...file.text.matchAll(/\bimport\(\s*'([^']+)'/g)].map((match) => match[1]))
  const isStatic = (line: ImportLine): boolean => line.kind === 'values' && !lazy.has(line.target)
  return importsOf(file).filter(isStatic).map(resolveImport)
}

export function checkLength(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => /^(src|test|bench|scripts)\/.*\.(ts|mjs|js)$/.test(path))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES_MAX)
    .map(({ path, lines }) => `${path} has ${lines} lines, more than ${FILE_LINES_MAX}`)
}

/** Files and declared identifiers named with an empty word, alone or as a part (`requestManager`). */
export function checkNames(files: readonly SourceFile[]): string[] {
  const isEmpty = (word: string): boolean => EMPTY_NAMES.includes(word.toLowerCase())
  return files
    .filter(({ path }) => /^(src|test|bench|scripts)\//.test(path) && !path.startsWith('test/tidy/'))
    .flatMap(({ path, text }) => {
      const inPath = path.split(/[/.-]/).filter(isEmpty)
      const declared = [
        ...text.matchAll(/^(?:export\s+)?(?:const|let|function|class|interface|type|async function)\s+(\w+)/gm),
      ]
      const inCode = declared.map((match) => match[1]!).filter((name) => wordsOf(name).some(isEmpty))
      return [...inPath, ...inCode].map((name) => `${path}: the name ${name} says nothing`)
    })
}

const wordsOf = (identifier: string): string[] => identifier.split(/_|(?<=[a-z0-9])(?=[A-Z])/)

/** Forbidden texts. Comments may speak of them, except where the rule is about comments too. */
export function checkBan(ban: Ban, files: readonly SourceFile[]): string[] {
  const speaksOfComments = COMMENT.test(ban.sample)
  return files
    .filter(({ path }) => ban.where.test(path) && !(ban.except?.test(path) ?? false))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        if (!ban.pattern.test(line) || (!speaksOfComments && COMMENT.test(line))) return []
        if (ALLOWED_LINES[path]?.some((allowed) => allowed.test(line))) return []
        return [`${path}:${index + 1} ${line.trim().slice(0, 120)}`]
      }),
    )
}

/** Paths in code marks of a document that look like ours and do not exist. */
export function checkDocumentPaths(document: SourceFile, exists: (path: string) => boolean): string[] {
  const marked = [...document.text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)
  const linked = [...document.text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1]!)
  const folder = document.path.includes('/') ? document.path.replace(/\/[^/]*$/, '/') : ''
  const broken = linked.filter((path) => !exists(join(folder, path))).map((path) => `${document.path}: link to ${path}`)
  const OURS = /^\.?(src|test|bench|scripts|bin|docs|portal|deploy|\.ci)\/[\w./#-]*$|^[A-Z]+\.md$/
  const missing = marked
    .filter((path) => OURS.test(path) && !MODEL_IDS.test(path))
    .filter((path) => !exists(path.replace(/\/$/, '')))
    .map((path) => `${document.path}: ${path} does not exist`)
  return [...broken, ...missing]
}

function join(folder: string, path: string): string {
  const parts: string[] = []
  for (const part of `${folder}${path}`.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

/** Rows of a lock file that npm cannot install exactly: `npm ci` refuses them or takes them unverified. */
export function checkLock(lock: { packages: Readonly<Record<string, LockRow>> }): string[] {
  const names = new Set(Object.keys(lock.packages))
  const rows = Object.entries(lock.packages).filter(([path]) => path !== '')
  const unverified = rows.filter(([, row]) => row.version === undefined || row.integrity === undefined)
  const absent = rows.flatMap(([path, row]) =>
    Object.keys(row.optionalDependencies ?? {})
      .filter((name) => !names.has(`node_modules/${name}`) && !names.has(`${path}/node_modules/${name}`))
      .map((name) => `${path} names ${name}, which has no row: npm ci refuses the lock file`),
  )
  return [...unverified.map(([path]) => `${path} has no version or no integrity`), ...absent]
}

export interface LockRow {
  readonly version?: string
  readonly integrity?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
