import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONFIG_OPTION, OPTIONS, PROVIDER_OPTIONS } from './options.ts'
import { fileSchema } from './schema.ts'
import { nearest } from './suggest.ts'

test('no variable, flag or path is given twice', () => {
  const all = [...OPTIONS, ...PROVIDER_OPTIONS, CONFIG_OPTION]
  for (const field of ['env', 'flag'] as const) {
    const names = all.flatMap((option) => (field in option && option[field] !== undefined ? [option[field]] : []))
    assert.equal(new Set(names).size, names.length, field)
  }
  const paths = OPTIONS.map((option) => option.path)
  assert.equal(new Set(paths).size, paths.length)
})

test('every path of the table is a place in the file, and every row is described', () => {
  for (const { path, description } of OPTIONS) {
    const [section = '', key = ''] = path.split('.')
    const shape = fileSchema.shape[section as 'server']
    assert.ok(shape !== undefined && key in shape.unwrap().shape, path)
    assert.match(description, /\.$/, path)
  }
})

test('names that the requirements fix', () => {
  const env = new Set([...OPTIONS, ...PROVIDER_OPTIONS].map((option) => option.env))
  const names =
    'APP_PORT APP_HOST DATA_DIR DATABASE_URL GATEWAY_URL GATEWAY_MASTER_KEY DISABLE_AUTH API_KEYS LOG_LEVEL BILLING_CURRENCY PROXY_TIMEOUT OPENROUTER_API_KEY OPENROUTER_API_BASE_URL OPENROUTER_TIMEOUT OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY'
  for (const name of names.split(' ')) assert.ok(env.has(name), name)
  const flags = new Set([...OPTIONS, ...PROVIDER_OPTIONS].map((option) => option.flag))
  for (const vendor of ['openai', 'anthropic', 'gemini', 'openrouter']) {
    assert.ok(flags.has(`${vendor}-api-key`) && flags.has(`${vendor}-api-base-url`), vendor)
  }
})

test('the nearest name is found for small slips only', () => {
  assert.equal(nearest('defualt-backend', ['default-backend', 'backend']), 'default-backend')
  assert.equal(nearest('backend', ['backends', 'budgets']), 'backends')
  assert.equal(nearest('completely-different', ['backends', 'budgets']), undefined)
  assert.equal(nearest('ab', ['cd']), undefined)
})
