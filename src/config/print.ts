import { Document, isMap, isNode, isSeq } from 'yaml'
import type { LoadedConfig } from './load.ts'
import { leaves } from './merge.ts'
import { OPTIONS } from './options.ts'
import type { Source } from './types.ts'

/** Characters of a secret that may be shown, so that two keys can be told apart (R20). */
const SHOWN_CHARACTERS = 6

/** One effective leaf, fit to be shown to anybody. */
export interface PrintedLeaf {
  readonly value: unknown
  readonly source: Source
}

const SECRET_PATHS = new Set(OPTIONS.filter((option) => option.secret).map((option) => option.path))
const SECRET_NAMES =
  /^(api_keys?|access_key_id|secret_access_key|master_key|database_url|(.*[_-])?(password|secret|token|credentials?))$/i

/** `trivium config print --json`: every leaf by its path with its source; secrets masked. */
export function printJson(loaded: LoadedConfig): Record<string, PrintedLeaf> {
  const printed: Record<string, PrintedLeaf> = {}
  for (const [path, value] of leaves(loaded.effective)) {
    printed[path] = { value: isSecret(path) ? mask(value) : value, source: sourceOf(loaded, path) }
  }
  return printed
}

/** `trivium config print`: the effective configuration as YAML, each leaf with its source as a comment; secrets masked. */
export function printYaml(loaded: LoadedConfig): string {
  const printed = printJson(loaded)
  const document = new Document(maskTree(loaded.effective, ''))
  document.commentBefore = ` file: ${loaded.settings.configFile ?? 'none'}`
  annotate(document.contents, '', printed)
  return document.toString({ lineWidth: 0 })
}

function annotate(node: unknown, path: string, printed: Record<string, PrintedLeaf>): void {
  if (isNode(node) && printed[path] !== undefined) node.comment = ` ${printed[path].source}`
  else if (isMap(node)) {
    for (const { key, value } of node.items) annotate(value, `${path}${path && '.'}${String(key)}`, printed)
  } else if (isSeq(node)) node.items.forEach((item, index) => annotate(item, `${path}[${index}]`, printed))
}

function maskTree(value: unknown, path: string): unknown {
  if (Array.isArray(value)) return value.map((part, index) => maskTree(part, `${path}[${index}]`))
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    return Object.fromEntries(entries.map(([key, part]) => [key, maskTree(part, `${path}${path && '.'}${key}`)]))
  }
  return isSecret(path) ? mask(value) : value
}

/** A list option is one leaf of the merge but several of the tree. */
function sourceOf({ sources }: LoadedConfig, path: string): Source {
  return sources[path] ?? sources[path.replace(/(\[\d+\])+$/, '')] ?? 'file'
}

const isSecret = (path: string): boolean => {
  const plain = path.replace(/\[\d+\]/g, '')
  return (
    SECRET_PATHS.has(plain) || plain.split('.').some((step) => SECRET_NAMES.test(step)) || /\.headers\./.test(plain)
  )
}

/** First characters and `****`; at most a third of the secret is shown, and of a URL everything but its password. */
export function mask(value: unknown): unknown {
  if (typeof value === 'number') return mask(String(value))
  if (typeof value !== 'string' || value === '') return value
  if (/^[a-z]+:\/\//i.test(value) && URL.canParse(value)) {
    const url = new URL(value)
    if (url.password !== '') url.password = '****'
    url.search = url.search === '' ? '' : '?****'
    return url.href
  }
  return `${value.slice(0, Math.min(SHOWN_CHARACTERS, Math.floor(value.length / 3)))}****`
}
