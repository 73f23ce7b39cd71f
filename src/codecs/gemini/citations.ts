import type { Citation } from '#ir/blocks.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'

/** What is told of a place in the text: Google counts bytes of UTF-8. */
interface Segment {
  readonly startIndex?: unknown
  readonly endIndex?: unknown
  /** The text at that place. */
  readonly text?: unknown
}

/**
 * The sources of a text, from a candidate's `groundingMetadata` and `citationMetadata`. Places in the text come out as
 * characters; a place that does not hold the text it is said to hold is looked for, and left out when it is not there.
 */
export function citationsOf(candidate: Readonly<Record<string, unknown>>, text: string): Citation[] {
  const grounding = fieldsOf(candidate['groundingMetadata'])
  const metadata = fieldsOf(candidate['citationMetadata'])
  const chunks = listOf(grounding['groundingChunks'])
  const bytes = Buffer.from(text)
  const grounded = listOf(grounding['groundingSupports']).flatMap((support) => {
    const { segment, groundingChunkIndices } = fieldsOf(support)
    return listOf(groundingChunkIndices).flatMap((index) => {
      const source = sourceOf(typeof index === 'number' ? chunks[index] : undefined)
      return source === null ? [] : [{ ...source, ...placeOf(fieldsOf(segment), text, bytes) }]
    })
  })
  const cited = listOf(metadata['citationSources'] ?? metadata['citations']).flatMap((each) => {
    const source = addressOf(fieldsOf(each))
    return source === null ? [] : [{ ...source, ...placeOf(fieldsOf(each), text, bytes) }]
  })
  return [...grounded, ...cited]
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** A chunk is of the web, of a map, or of a store of files; the latter has an address only by chance. */
function sourceOf(chunk: unknown): Citation | null {
  const { web, maps, retrievedContext } = fieldsOf(chunk)
  return addressOf(fieldsOf(web ?? maps ?? retrievedContext))
}

function addressOf({ uri, title }: Readonly<Record<string, unknown>>): Citation | null {
  const url = typeof uri === 'string' && uri !== '' ? { url: uri } : {}
  const name = typeof title === 'string' && title !== '' ? { title } : {}
  const source = { ...url, ...name }
  return Object.keys(source).length > 0 ? source : null
}

function placeOf(
  segment: Segment,
  text: string,
  bytes: Buffer,
): Pick<Citation, 'citedText' | 'startIndex' | 'endIndex'> {
  const told = typeof segment.text === 'string' && segment.text !== '' ? segment.text : null
  const endByte = countOf(segment.endIndex)
  const citedText = told === null ? {} : { citedText: told }
  if (endByte !== null && endByte <= bytes.length) {
    const startIndex = charactersIn(bytes, countOf(segment.startIndex) ?? 0)
    const endIndex = charactersIn(bytes, endByte)
    if (told === null || text.slice(startIndex, endIndex) === told) return { ...citedText, startIndex, endIndex }
  }
  const found = told === null ? -1 : text.indexOf(told)
  return found < 0 ? citedText : { ...citedText, startIndex: found, endIndex: found + told!.length }
}

const charactersIn = (bytes: Buffer, length: number): number => bytes.toString('utf8', 0, length).length
