import assert from 'node:assert/strict'
import { test } from 'node:test'
import { citationsOf } from './citations.ts'

const web = (uri: string, title?: string) => ({ web: { uri, ...(title === undefined ? {} : { title }) } })

test('a support names its sources, and its place is counted in characters', () => {
  const text = 'Zürich is 😀 big.'
  const candidate = {
    groundingMetadata: {
      groundingChunks: [web('https://a', 'A'), web('https://b')],
      groundingSupports: [
        { segment: { endIndex: 7, text: 'Zürich' }, groundingChunkIndices: [0, 1] },
        { segment: { startIndex: 11, endIndex: 20, text: '😀 big.' }, groundingChunkIndices: [1] },
      ],
    },
  }
  assert.deepEqual(citationsOf(candidate, text), [
    { url: 'https://a', title: 'A', citedText: 'Zürich', startIndex: 0, endIndex: 6 },
    { url: 'https://b', citedText: 'Zürich', startIndex: 0, endIndex: 6 },
    { url: 'https://b', citedText: '😀 big.', startIndex: 10, endIndex: 17 },
  ])
})

test('a place that holds another text is looked for, and left out when it is nowhere', () => {
  const supports = (segment: unknown) =>
    citationsOf(
      {
        groundingMetadata: {
          groundingChunks: [web('u')],
          groundingSupports: [{ segment, groundingChunkIndices: [0] }],
        },
      },
      'one two',
    )
  assert.deepEqual(supports({ startIndex: 0, endIndex: 3, text: 'two' }), [
    { url: 'u', citedText: 'two', startIndex: 4, endIndex: 7 },
  ])
  assert.deepEqual(supports({ startIndex: 90, endIndex: 93, text: 'six' }), [{ url: 'u', citedText: 'six' }])
  assert.deepEqual(supports({ startIndex: 90, endIndex: 93 }), [{ url: 'u' }])
  assert.deepEqual(supports(null), [{ url: 'u' }])
})

test('maps and files are sources; what has neither address nor title is none', () => {
  const chunks = [
    { maps: { uri: 'm', title: 'M' } },
    { retrievedContext: { title: 'F', text: 'x' } },
    { retrievedContext: { text: 'x' } },
  ]
  const groundingSupports = [{ groundingChunkIndices: [0, 1, 2, 9, 'x'] }]
  assert.deepEqual(citationsOf({ groundingMetadata: { groundingChunks: chunks, groundingSupports } }, ''), [
    { url: 'm', title: 'M' },
    { title: 'F' },
  ])
})

test('both spellings of cited sources are read; an empty address is none', () => {
  const sources = [
    { startIndex: 1, endIndex: 3, uri: 'u', license: 'mit' },
    { uri: '', title: '' },
  ]
  const expected = [{ url: 'u', startIndex: 1, endIndex: 3 }]
  assert.deepEqual(citationsOf({ citationMetadata: { citationSources: sources } }, 'abcd'), expected)
  assert.deepEqual(citationsOf({ citationMetadata: { citations: sources } }, 'abcd'), expected)
})

test('metadata of another shape say nothing', () => {
  for (const odd of [null, 7, [], 'x', { groundingSupports: 7 }, { groundingSupports: [null] }])
    assert.deepEqual(citationsOf({ groundingMetadata: odd, citationMetadata: odd }, 'x'), [])
})
