import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { createPace, decodeItems, encodeItems, itemsOf, listedItem, outputOf } from './items.ts'

test('a text is what its user said, items stay as they are', () => {
  assert.deepEqual(itemsOf('hi'), [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }])
  const items = [{ role: 'user', content: 'hi' }]
  assert.equal(itemsOf(items), items)
})

test('items are a JSON array that reads back number for number', async () => {
  const text = '[{"a":"x,\\ny","n":12345678901234567890},null,[",\\n"],"\\ud800"]'
  const items = parseFaithfulJson(text) as unknown[]
  const encoded = (await encodeItems(items, 1000))!
  assert.equal(encoded.split('\n').length, items.length)
  assert.equal(JSON.stringify(parseFaithfulJson(encoded)), text)
  assert.equal(JSON.stringify(await decodeItems(encoded, createPace())), text)
  assert.deepEqual(await decodeItems((await encodeItems([], 2))!, createPace()), [])
})

test('the bound of encoded items is exact', async () => {
  const items = ['ab', 'cd']
  const { length } = (await encodeItems(items, 100))!
  assert.equal((await encodeItems(items, length))!.length, length)
  assert.equal(await encodeItems(items, length - 1), null)
})

test('others have their turn while a long list is written or read', async () => {
  const items = Array.from({ length: 4096 }, () => 'x'.repeat(1024))
  let turns = 0
  const count = (): void => {
    turns++
    if (turns < 1000) setImmediate(count)
  }
  setImmediate(count)
  const encoded = (await encodeItems(items, 2 ** 24))!
  const whileWritten = turns
  await decodeItems(encoded, createPace())
  const whileRead = turns - whileWritten
  turns = 1000
  assert.ok(whileWritten >= 8 && whileRead >= 8, `${whileWritten} ${whileRead}`)
})

test('an output is read digit for digit, unless it is very long', () => {
  const numbers = '[{"n":12345678901234567890}]'
  assert.equal(JSON.stringify(outputOf(`{"output":${numbers}}`)), numbers)
  const long = `{"output":[1.2345678901234567890],"pad":"${'x'.repeat(512 * 1024)}"}`
  assert.deepEqual(outputOf(long), [1.2345678901234567])
})

test('a response without output has said nothing', () => {
  assert.deepEqual(outputOf('{"output":[{"id":"a"}]}'), [{ id: 'a' }])
  for (const text of ['{}', '{"output":null}', '{"output":{}}', '[]', 'null', '1']) assert.deepEqual(outputOf(text), [])
})

test('listed items have an id and messages their parts', () => {
  const listed = (item: unknown) => listedItem(item, 'resp_01AB', 7)
  assert.deepEqual(listed({ role: 'user', content: 'hi' }), {
    id: 'msg_01AB_1000007',
    type: 'message',
    role: 'user',
    status: 'completed',
    content: [{ type: 'input_text', text: 'hi' }],
  })
  assert.deepEqual(listed({ role: 'assistant', content: '' }), {
    id: 'msg_01AB_1000007',
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: '', annotations: [] }],
  })
  const own = { id: 'msg_own', type: 'message', role: 'user', status: 'incomplete', content: [{ type: 'input_image' }] }
  assert.deepEqual(listed(own), own)
  const ids = ['reasoning', 'function_call', 'function_call_output', 'custom_tool_call', 'mcp_call'].map(
    (type) => (listed({ type, id: '' }) as { id: string }).id,
  )
  assert.deepEqual(ids, [
    'rs_01AB_1000007',
    'fc_01AB_1000007',
    'fco_01AB_1000007',
    'ctc_01AB_1000007',
    'item_01AB_1000007',
  ])
  assert.deepEqual(listed({ type: 'function_call_output', id: null, output: '' }), {
    type: 'function_call_output',
    id: 'fco_01AB_1000007',
    output: '',
  })
  assert.deepEqual([listed('text'), listed(null), listed([1])], ['text', null, [1]])
})
