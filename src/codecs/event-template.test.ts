import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventTemplate } from './event-template.ts'

const EVENT = 'data: {"n":7,"text":"hello","pad":"xyz","end":true}\n\n'
const valueAt = (event: string, key: string) => event.indexOf(`"${key}":`) + key.length + 3

function templateOf(event: string, text = 'text', others = ['n', 'pad']): EventTemplate {
  const template = new EventTemplate()
  const [second, third] = others.map((key) => valueAt(event, key))
  template.keep(Buffer.from(event), valueAt(event, text), second ?? -1, third ?? -1)
  return template
}

const MATCHES: [event: string, textBytes: number, why: string][] = [
  [EVENT, 5, 'itself'],
  ['data: {"n":12345,"text":"w","pad":"","end":true}\n\n', 1, 'all holes of other lengths'],
  ['data: {"n":0,"text":"日本","pad":"p","end":true}\n\n', 6, 'bytes, not characters'],
  ['data: {"n":8,"text":"","pad":"xyz","end":true}\n\n', -1, 'an event without text says something else'],
  ['data: {"n":8,"text":"a\\nb","pad":"xyz","end":true}\n\n', -1, 'an escape'],
  ['data: {"n":8,"text":"a\nb","pad":"xyz","end":true}\n\n', -1, 'a line break in the text'],
  ['data: {"n":8,"text":"a","pad":"xyz","end":null}\n\n', -1, 'another end'],
  ['data: {"n":8,"text":"a","pad":"xyz","end":true}\n', -1, 'cut'],
  ['data: {"n":8,"text":"a","pad":"xyz","end":true}\n\ndata', -1, 'the next event begun'],
  ['data: {"n":8,"text":"a","pad":"xyz","more":1,"end":true}\n\n', -1, 'a member more'],
  ['data: {"n":8.5,"text":"a","pad":"xyz","end":true}\n\n', -1, 'a fraction'],
  ['data: {"n":08,"text":"a","pad":"xyz","end":true}\n\n', -1, 'no JSON number'],
  ['data: {"n":,"text":"a","pad":"xyz","end":true}\n\n', -1, 'no number'],
  ['data: {"n":"8","text":"a","pad":"xyz","end":true}\n\n', -1, 'a string for a number'],
  ['data: {"m":8,"text":"a","pad":"xyz","end":true}\n\n', -1, 'another key'],
  ['data: {"n":8,"text":"a', -1, 'cut in the text'],
  ['', -1, 'nothing'],
]

test('an event matches when nothing but its holes differs', () => {
  const template = templateOf(EVENT)
  for (const [event, textBytes, why] of MATCHES) assert.equal(template.match(Buffer.from(event)), textBytes, why)
})

test('the holes may be given in any order, and one may be absent', () => {
  const event = 'data: {"pad":"xyz","text":"a","n":1}\n\n'
  assert.equal(templateOf(event).match(Buffer.from('data: {"pad":"","text":"abc","n":20}\n\n')), 3)
  assert.equal(templateOf(event).firstHole, event.indexOf('xyz'))
  assert.equal(templateOf(event, 'text', []).match(Buffer.from('data: {"pad":"xyz","text":"abc","n":1}\n\n')), 3)
  assert.equal(templateOf(event, 'text', []).match(Buffer.from('data: {"pad":"xy","text":"abc","n":1}\n\n')), -1)
})

test('the kept text may hold escapes; the next one may not', () => {
  const template = templateOf('data: {"n":1,"text":"a\\"b\\n","pad":"","end":true}\n\n')
  assert.equal(template.match(Buffer.from('data: {"n":2,"text":"word","pad":"","end":true}\n\n')), 4)
})

test('nothing is kept without a text, with a value that cannot vary, or while its last LF may be missing', () => {
  for (const event of [
    EVENT.replace('"hello"', '5'),
    EVENT.replace('"n":7', '"n":null'),
    EVENT.replace('"pad":"xyz"', '"pad":{}'),
    EVENT.replaceAll('\n', '\r'),
  ]) {
    assert.equal(templateOf(event).match(Buffer.from(event)), -1, event)
  }
  const cleared = templateOf(EVENT)
  cleared.clear()
  assert.equal(cleared.match(Buffer.from(EVENT)), -1)
  assert.equal(new EventTemplate().match(Buffer.from('')), -1)
})
