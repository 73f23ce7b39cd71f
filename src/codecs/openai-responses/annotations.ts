import type { Citation } from '#ir/blocks.ts'
import { fieldsOf } from '#ir/counts.ts'
import { PROTOCOL } from './members.ts'

/** An `annotation` of output text as a citation; its own form goes along. */
export function citationOf(annotation: unknown): Citation {
  const { url, title, filename, start_index: startIndex, end_index: endIndex } = fieldsOf(annotation)
  const name = title ?? filename
  return {
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof name === 'string' ? { title: name } : {}),
    ...(typeof startIndex === 'number' ? { startIndex } : {}),
    ...(typeof endIndex === 'number' ? { endIndex } : {}),
    native: { issuer: PROTOCOL, value: annotation },
  }
}

/**
 * A citation as an `annotation`; null for one without a URL, for which there is no form. The offsets are demanded: a citation
 * that tells none speaks of all the text before it.
 */
export function annotationOf(citation: Citation, textLength: number): unknown {
  if (citation.native?.issuer === PROTOCOL) return citation.native.value
  if (citation.url === undefined) return null
  return {
    type: 'url_citation',
    url: citation.url,
    title: citation.title ?? '',
    start_index: citation.startIndex ?? 0,
    end_index: citation.endIndex ?? textLength,
  }
}
