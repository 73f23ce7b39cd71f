import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BytePairs } from './byte-pairs.ts'
import { Pace } from './pace.ts'

/** OpenAI's encodings that are counted with: the one since GPT-4o, and that of GPT-3.5 and GPT-4. */
export type EncodingName = 'o200k_base' | 'cl100k_base'

const LINES_PER_SLICE = 1000

const loading = new Map<EncodingName, Promise<BytePairs>>()

/** Whether an encoding was asked for in this process; for tests. */
export const isEncodingLoaded = (): boolean => loading.size > 0

/**
 * One encoding, read on first use: its data are megabytes that a gateway which never counts locally does not need. Read from
 * the lists of gpt-tokenizer line by line, because importing its modules would hold up the event loop for a tenth of a second.
 */
export function loadEncoding(name: EncodingName): Promise<BytePairs> {
  const known = loading.get(name)
  if (known !== undefined) return known
  const encoding = readEncoding(name)
  loading.set(name, encoding)
  // A folder that cannot be read now may be readable at the next request.
  encoding.catch(() => loading.delete(name))
  return encoding
}

async function readEncoding(name: EncodingName): Promise<BytePairs> {
  const file = fileURLToPath(import.meta.resolve(`gpt-tokenizer/data/${name}.tiktoken`))
  const [patterns, list] = await Promise.all([
    import('gpt-tokenizer/encodingParams/constants'),
    readFile(file, 'latin1'),
  ])
  const pattern = name === 'o200k_base' ? patterns.O200K_TOKEN_SPLIT_REGEX : patterns.CL100K_TOKEN_SPLIT_REGEX
  return new BytePairs(await readRanks(list), pattern)
}

/** Reads lines of `<base64 of the token> <rank>`. */
async function readRanks(list: string): Promise<Map<string, number>> {
  const ranks = new Map<string, number>()
  const pace = new Pace()
  for (let start = 0, line = 1; start < list.length; line++) {
    const space = list.indexOf(' ', start)
    const found = list.indexOf('\n', space)
    const end = found < 0 ? list.length : found
    ranks.set(atob(list.slice(start, space)), Number(list.slice(space + 1, end)))
    start = end + 1
    if (line % LINES_PER_SLICE === 0) await pace.rest()
  }
  return ranks
}
