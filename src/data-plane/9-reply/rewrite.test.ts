import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cost, costOf } from '#ledger/cost.ts'
import { PRICE } from '#data-plane/testbed.ts'
import { applyEdits } from '#wire/splice.ts'
import { withoutNullMembers } from './openrouter-shape.ts'
import { costEdits, modelEdit, publicNameOf } from './rewrite.ts'

const COST = costOf(
  { input: 10, cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: 5, reasoning: null, source: 'upstream' },
  PRICE,
)

/** The text with the cost in the usage object whose `{` is marked by `§`. */
function priced(marked: string, cost: Cost | null, detailed = false): string {
  const open = Buffer.byteLength(marked.slice(0, marked.indexOf('§'))) + 1
  const bytes = Buffer.from(marked.replace('§', ''))
  return applyEdits(bytes, costEdits(bytes, open, cost, detailed)).toString()
}

test('the cost is the first member of the usage', () => {
  assert.equal(priced('{"ü":1,"usage":§{"a":1}}', COST), '{"ü":1,"usage":{"cost":0.000105,"a":1}}')
  assert.equal(priced('data: {"usage":§{ "a":1 } }\n\n', COST), 'data: {"usage":{"cost":0.000105, "a":1 } }\n\n')
})

test('without a price the cost is null', () => {
  assert.equal(priced('{"usage":§{"a":1}}', null), '{"usage":{"cost":null,"a":1}}')
})

test('a cost that a gateway behind us wrote is replaced, whatever it is', () => {
  for (const theirs of ['0.5', 'null', '"1"', '{"input":1,"cost":{"x":[2]}}', '[1,2]']) {
    assert.equal(
      priced(`{"usage":§{"a":1,"cost": ${theirs} ,"b":2}}`, COST),
      '{"usage":{"a":1,"cost": 0.000105 ,"b":2}}',
    )
  }
})

test('a member called cost elsewhere is none of ours', () => {
  const rest = '"tools":[{"parameters":{"cost":{"type":"number"}}}],"metadata":{"cost":"centre-5"}'
  assert.equal(
    priced(`{"usage":§{"a":{"cost":3}},${rest}}`, COST),
    `{"usage":{"cost":0.000105,"a":{"cost":3}},${rest}}`,
  )
})

test("OpenRouter's clients get the parts of the cost", () => {
  const read = (cost: Cost | null) =>
    (JSON.parse(priced('{"usage":§{"a":1}}', cost, true)) as { usage: Record<string, unknown> }).usage
  const usage = read(COST)
  const details = usage['cost_details'] as Record<string, unknown>
  assert.deepEqual([usage['cost'], usage['is_byok'], usage['a']], [0.000105, false, 1])
  assert.deepEqual(
    [
      details['upstream_inference_cost'],
      details['upstream_inference_prompt_cost'],
      details['upstream_inference_completions_cost'],
    ],
    [0.000105, 0.00003, 0.000075],
  )
  const unpriced = read(null)
  assert.equal(unpriced['cost'], null)
  assert.ok(Object.values(unpriced['cost_details'] as object).every((value) => value === null))
})

test('the public name takes the place of the upstream’s', () => {
  const bytes = Buffer.from('{"model":"inner"}')
  const renamed = (id: string) => {
    const edit = modelEdit(bytes, 9, 16, publicNameOf({ id }))
    return edit && applyEdits(bytes, [edit]).toString()
  }
  assert.equal(renamed('a"b/ü'), '{"model":"a\\"b/ü"}')
  assert.equal(renamed('inner'), null)
  assert.equal(modelEdit(bytes, -1, -1, publicNameOf({ id: 'x' })), null)
})

test('a null usage is taken out, wherever it stands', () => {
  const left = (json: string) =>
    withoutNullMembers(Buffer.from(`data: ${json}\n\n`))
      .toString()
      .slice(6, -2)
  assert.equal(left('{"id":1,"usage":null,"x":2}'), '{"id":1,"x":2}')
  assert.equal(left('{"usage":null,"x":2}'), '{"x":2}')
  assert.equal(left('{"id":1,"usage":null}'), '{"id":1}')
  assert.equal(left('{"usage":null}'), '{}')
  for (const spaced of ['{"id": 1, "usage": null, "x": 2}', '{"id": 1 , "usage" : null , "x": 2}']) {
    assert.deepEqual(JSON.parse(left(spaced)), { id: 1, x: 2 })
  }
  assert.deepEqual(JSON.parse(left('{"id": "ü", "usage": null}')), { id: 'ü' })
  assert.deepEqual(JSON.parse(left('{ "usage": null , "x": 2}')), { x: 2 })
  for (const kept of ['{"usage":{"a":null}}', '{"text":"\\"usage\\":null"}', '{"x":1}']) assert.equal(left(kept), kept)
})
