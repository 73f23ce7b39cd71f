import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArgumentText } from './argument-text.ts'

const INPUT = 'line "one"\nC:\\dir\t日本 🚀 é'

/** What comes out of these pieces, piece by piece. */
function taken(pieces: readonly string[]): string[] {
  const text = new ArgumentText('input')
  return pieces.map((piece) => text.push(piece))
}

test('the member comes out as plain text, however it is cut', () => {
  for (const json of [JSON.stringify({ input: INPUT }), ` { "input" : ${JSON.stringify(INPUT)} } `]) {
    assert.equal(taken([json]).join(''), INPUT)
    assert.equal(taken([...json]).join(''), INPUT)
    for (let cut = 0; cut <= json.length; cut++) {
      assert.equal(taken([json.slice(0, cut), json.slice(cut)]).join(''), INPUT, `cut at ${cut}`)
    }
  }
  const escaped = '{"input":"\\u00e9\\ud83d\\ude80\\/"}'
  assert.equal(taken([...escaped]).join(''), 'é🚀/')
})

test('text passes with the piece that brings it', () => {
  assert.deepEqual(taken(['{"inp', 'ut":"a', 'bc', '\\', 'n', 'd"', '}']), ['', 'a', 'bc', '', '\n', 'd', ''])
})

test('what is no such object passes as it is', () => {
  const other = `{"command":["sh","-c","${'x'.repeat(80)}"]}`
  assert.equal(taken([other]).join(''), other)
  assert.equal(taken(other.match(/.{1,7}/g)!).join(''), other)
})
