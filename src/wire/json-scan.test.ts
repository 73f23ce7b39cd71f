import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrayElements, JsonDepthError, JsonError, ObjectScan, readString, readValue } from './json-scan.ts'

const scanOf = (text: string, keys: string[], depthMax?: number) => {
  const scan = new ObjectScan(keys)
  const bytes = Buffer.from(text)
  return { scan, bytes, object: scan.scan(bytes, 0, bytes.length, depthMax) }
}
const accepts = (bytes: Buffer) => {
  try {
    new ObjectScan(['a']).scan(bytes)
    return true
  } catch (error) {
    assert.ok(error instanceof JsonError)
    return false
  }
}
const parses = (bytes: Buffer) => {
  try {
    JSON.parse(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

test('finds the spans of top-level members and ignores nested ones', () => {
  const { scan, bytes } = scanOf('{"x":{"model":"no"}, "model" : "gpt-5" ,"n":[1,{"model":2}],"stream":true}', [
    'model',
    'stream',
    'absent',
  ])
  assert.equal(readString(bytes, scan.start[0]!, scan.end[0]!), 'gpt-5')
  assert.equal(readValue(bytes, scan.start[1]!, scan.end[1]!), true)
  assert.equal(scan.has(2), false)
  assert.deepEqual([...scan.count], [1, 1, 0])
})

test('tells of noticed members at the top level, and of escaped letters anywhere', () => {
  const scan = new ObjectScan(['model'], { noticed: ['provider', 'a member with a name of more than thirty letters'] })
  const tell = (text: string) => {
    scan.scan(Buffer.from(text))
    return [scan.noticed, scan.escaped]
  }
  assert.deepEqual(tell('{"model":"m","provider":1}'), [true, false])
  assert.deepEqual(tell('{"model":"m","x":{"provider":1}}'), [false, false])
  assert.deepEqual(tell(String.raw`{"pr\u006fvider":1}`), [true, true])
  assert.deepEqual(tell(String.raw`{"x":["\u0041"]}`), [false, true])
  assert.deepEqual(tell(String.raw`{"x":"\n\\u0041"}`), [false, false])
  assert.deepEqual(tell('{"a member with a name of more than thirty letters":1}'), [true, false])
  assert.deepEqual(tell('{"another member with a name of more than thirty letters":1}'), [false, false])
  assert.deepEqual([...scan.start], [-1])
})

test('counts watched strings wherever they stand, as whole strings only', () => {
  const long = 'a string of more than thirty letters'
  const scan = new ObjectScan(['model'], { watched: ['image', 'file_id', long] })
  const told = (text: string) => {
    scan.scan(Buffer.from(text))
    return [...scan.watchedCounts]
  }
  assert.deepEqual(told('{"image":1,"x":[{"type":"image"},{"file_id":"image"}]}'), [3, 1, 0])
  assert.deepEqual(told('{"model":"images","x":"an image","y":["imag","file_ix"]}'), [0, 0, 0])
  assert.deepEqual(told(String.raw`{"x":"\"image\"","im\u0061ge":"a\\"}`), [0, 0, 0])
  assert.deepEqual(told(`{"x":{"${long}":"${long}s"}}`), [0, 0, 1])
  assert.deepEqual(told('"image"'), [1, 0, 0])
  // Others read the same bytes meanwhile.
  new ObjectScan(['image']).scan(Buffer.from('{"image":"image"}'))
  assert.deepEqual(arrayElements(Buffer.from('["image"]'), 0, 9), [1, 8])
  assert.deepEqual([...scan.watchedCounts], [1, 0, 0])
})

test('counts duplicates, also when a key is written with escapes', () => {
  const { scan, bytes } = scanOf('{"model":"cheap","mod\\u0065l":"dear"}', ['model'])
  assert.equal(scan.count[0], 2)
  assert.equal(readString(bytes, scan.start[0]!, scan.end[0]!), 'dear')
})

test('members count in any case where that is asked for, escaped or not', () => {
  const bytes = Buffer.from('{"Model":1,"mod\\u0045l":2,"MODELS":3,"modem":4}')
  const folding = new ObjectScan(['model', 'Models'], { foldsCase: true })
  folding.scan(bytes)
  assert.deepEqual([[...folding.count], bytes.subarray(folding.start[1], folding.end[1]).toString()], [[2, 1], '3'])
  const exact = new ObjectScan(['model', 'Models'])
  exact.scan(bytes)
  assert.deepEqual([...exact.count], [0, 0])
})

test('a value that is no object is valid JSON but not an object', () => {
  for (const text of ['[]', '1', '"x"', 'null', ' true ']) assert.equal(scanOf(text, ['a']).object, false)
})

test('nesting is allowed up to the bound and refused one level beyond', () => {
  const nested = (levels: number) => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
  assert.equal(scanOf(nested(128), ['a'], 128).object, true)
  assert.throws(() => scanOf(nested(129), ['a'], 128), JsonDepthError)
  assert.throws(() => scanOf('['.repeat(1_000_000), ['a'], 128), JsonDepthError)
  assert.equal(scanOf(`{"a":${'['.repeat(127)}${']'.repeat(127)}}`, ['a'], 128).object, true)
  assert.throws(() => scanOf(`{"a":${'['.repeat(128)}${']'.repeat(128)}}`, ['a'], 128), JsonDepthError)
})

test('array elements', () => {
  const bytes = Buffer.from('[ {"a":1} , 2,"x,]" ]')
  const spans = arrayElements(bytes, 0, bytes.length)
  const texts = []
  for (let at = 0; at < spans.length; at += 2) texts.push(bytes.toString('utf8', spans[at], spans[at + 1]))
  assert.deepEqual(texts, ['{"a":1}', '2', '"x,]"'])
  assert.deepEqual(arrayElements(Buffer.from('[]'), 0, 2), [])
})

test('accepts exactly what JSON.parse accepts, over mutated texts', () => {
  const seeds = [
    '{"model":"a","messages":[{"role":"user","content":"h\\u00e9\\n\\"q\\""}],"n":-1.5e+3,"t":true,"f":false,"z":null}',
    '[1,2,[3,{"a":[]}],{},"",0,-0,1E5,0.1]',
    '{"":{"":""},"a":"\\ud83d\\ude00"}',
  ]
  const alphabet = '{}[]":,\\ \n\t\r0123456789eE+-.truefalsn/ub\u0001'
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  let accepted = 0
  for (let round = 0; round < 60_000; round++) {
    const text = [...seeds[random(seeds.length)]!]
    for (let edit = 0; edit <= random(3); edit++) {
      const letter = alphabet[random(alphabet.length)]!
      const at = random(text.length)
      const kind = random(3)
      if (kind === 0) text.splice(at, 1)
      else text.splice(at, kind - 1, letter)
    }
    const bytes = Buffer.from(text.join(''))
    const expected = parses(bytes)
    if (expected) accepted++
    assert.equal(accepts(bytes), expected, JSON.stringify(text.join('')))
  }
  assert.ok(accepted > 1000)
})
