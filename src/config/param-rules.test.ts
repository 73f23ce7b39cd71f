import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileSchema } from './schema.ts'
import { paramRule, readParamRules } from './param-rules.ts'

function read(...rules: unknown[]) {
  const faults: string[] = []
  const read = readParamRules(
    rules.map((rule) => paramRule.parse(rule)),
    'p',
    faults,
  )
  return { rules: read, faults }
}

test('rules of every action', () => {
  const { rules, faults } = read(
    { param: 'temperature', when: { not: 1 }, action: 'drop' },
    { param: '/generationConfig/seed', action: 'error' },
    { param: 'max_tokens', action: 'adapt', to: { name: 'max_completion_tokens' } },
    { param: 'top_p', when: { above: 0.9 }, action: 'adapt', to: { value: null } },
    { param: 'prompt_cache_key', action: 'salt' },
  )
  assert.deepEqual(faults, [])
  assert.deepEqual(rules, [
    { path: ['temperature'], when: { not: 1 }, action: { type: 'drop' } },
    { path: ['generationConfig', 'seed'], action: { type: 'error' } },
    { path: ['max_tokens'], action: { type: 'adapt', name: 'max_completion_tokens' } },
    { path: ['top_p'], when: { above: 0.9 }, action: { type: 'adapt', value: null } },
    { path: ['prompt_cache_key'], action: { type: 'salt' } },
  ])
})

test('what makes no sense is a fault with its place', () => {
  assert.deepEqual(read({ param: 'a', action: 'adapt' }).faults, [
    'p[0].to: missing, and adapt needs a name or a value',
  ])
  assert.deepEqual(read({ param: 'a', action: 'drop', to: { value: 1 } }).faults, ['p[0].to: only adapt has it'])
  assert.deepEqual(read({ param: 'a/b/c/d', action: 'drop' }).faults, [])
  assert.deepEqual(read({ param: 'a/b/c/d/e', action: 'drop' }).faults, ['p[0].param: at most 4 names deep'])
})

test('what the gateway meters by is not to be rewritten', () => {
  for (const param of ['model', 'stream', 'messages/0', 'stream_options'])
    assert.equal(read({ param, action: 'drop' }).faults.length, 1, param)
  for (const rule of [
    { param: 'max_tokens', action: 'drop' },
    { param: 'max_tokens', action: 'salt' },
    { param: 'n', action: 'adapt', to: { value: 1 } },
    { param: 'generationConfig/maxOutputTokens', action: 'adapt', to: { value: 9 } },
    { param: 'x', action: 'adapt', to: { name: 'max_tokens' } },
    { param: 'x', action: 'adapt', to: { name: 'model' } },
  ])
    assert.equal(read(rule).faults.length, 1, JSON.stringify(rule))
  assert.deepEqual(read({ param: 'n', when: { above: 1 }, action: 'error' }).faults, [])
})

test('a rule is checked where it stands in the file', () => {
  const issue = (rule: object) =>
    fileSchema.safeParse({ models: [{ id: 'm', params: [rule] }] }).error?.issues[0]?.path.join('.')
  assert.equal(issue({ param: 'a', action: 'drop' }), undefined)
  assert.equal(issue({ param: 'a', action: 'forget' }), 'models.0.params.0.action')
  assert.equal(issue({ param: 'a//b', action: 'drop' }), 'models.0.params.0.param')
  assert.equal(issue({ param: 'a', action: 'adapt', to: { name: 'a/b' } }), 'models.0.params.0.to.name')
})
