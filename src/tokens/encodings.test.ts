import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isEncodingLoaded, loadEncoding } from './encodings.ts'

const TEXTS = [
  'Hello, world',
  "It's the user's turn; they'll say it's 12345678 o'clock.",
  'def f(x):\n    return {"a": [1, 2.5e10, null], "b_c": x ** 2}\n\n\n# done\t\t\n',
  'これは日本語のテキストです。東京は日本の首都です。',
  'Größe, naïve, Ångström, Привет мир, مرحبا بالعالم, नमस्ते दुनिया',
  '👨‍👩‍👧‍👦 and 🎉🎉🎉',
  'text with <|endoftext|> inside',
  'SHOUTING camelCase snake_case kebab-case https://example.com/a?b=c#d',
  '   leading, trailing   ',
  'half a pair: \ud83c.',
  '',
]

test('importing everything that counts loads no encoding', async () => {
  await import('./count-tokens.ts')
  assert.equal(isEncodingLoaded(), false)
})

for (const name of ['o200k_base', 'cl100k_base'] as const) {
  test(`${name} counts what gpt-tokenizer counts`, async () => {
    const { countTokens } = await import(`gpt-tokenizer/encoding/${name}`)
    const encoding = await loadEncoding(name)
    for (const text of TEXTS)
      assert.equal(encoding.count(text), countTokens(text, { disallowedSpecial: new Set() }), text)
  })
}

test('an encoding is read once', () => {
  assert.equal(loadEncoding('o200k_base'), loadEncoding('o200k_base'))
  assert.equal(isEncodingLoaded(), true)
})
