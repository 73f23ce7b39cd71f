import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ParamAction, ParamCondition, ParamRule } from '#catalog/types.ts'
import { backendOf, modelOf, routeOf } from '#data-plane/testbed.ts'
import { applyParamRules, paramRulesOf } from './param-rules.ts'

const rule = (path: string, action: ParamAction, when?: ParamCondition): ParamRule => ({
  path: path.split('/'),
  action,
  ...(when ? { when } : {}),
})
const DROP = { type: 'drop' } as const

function applied(rules: readonly ParamRule[], body: string, paths: Record<string, string> = {}, accountId = 'acc_1') {
  const given = Buffer.from(body)
  const { body: sent, losses } = applyParamRules(rules, given, paths, accountId)
  return {
    sent: sent.toString(),
    isSame: sent === given,
    losses: losses.map(({ action, isSevere, path }) => `${action}${isSevere ? '!' : ''} ${path}`),
  }
}

test('a body that no rule is about keeps its bytes', () => {
  const body = '{ "b":1, "2":0, "1":1e400 }'
  assert.ok(applied([], body).isSame)
  const seen = applied([rule('temperature', DROP), rule('b', DROP, { above: 1 }), rule('b/c', DROP)], body)
  assert.deepEqual([seen.isSame, seen.losses], [true, []])
})

test('drop leaves a member out, and the rest keeps its digits', () => {
  const seen = applied([rule('temperature', DROP)], '{"seed":9007199254740993,"temperature":0,"x":{"temperature":1}}')
  assert.equal(seen.sent, '{"seed":9007199254740993,"x":{"temperature":1}}')
  assert.deepEqual(seen.losses, ['dropped /temperature'])
})

test('error refuses', () => {
  const seen = applied([rule('logprobs', { type: 'error' }, { equals: true })], '{"logprobs":true}')
  assert.deepEqual([seen.isSame, seen.losses], [true, ['dropped! /logprobs']])
  assert.deepEqual(applied([rule('logprobs', { type: 'error' }, { equals: true })], '{"logprobs":false}').losses, [])
})

test('adapt gives another name, another value, or both', () => {
  const named = rule('max_tokens', { type: 'adapt', name: 'max_completion_tokens' })
  assert.equal(applied([named], '{"max_tokens":5}').sent, '{"max_completion_tokens":5}')
  assert.equal(applied([named], '{"max_tokens":5,"max_completion_tokens":4}').sent, '{"max_completion_tokens":4}')
  const clamped = rule('temperature', { type: 'adapt', value: 1 }, { above: 1 })
  assert.equal(applied([clamped], '{"temperature":1.5}').sent, '{"temperature":1}')
  assert.ok(applied([clamped], '{"temperature":1}').isSame)
  const both = rule('a/b', { type: 'adapt', name: 'c', value: null })
  assert.equal(applied([both], '{"a":{"b":1,"d":2}}').sent, '{"a":{"d":2,"c":null}}')
  assert.deepEqual(applied([both], '{"a":{"b":1}}').losses, ['rewritten /a/b'])
})

test('salt keeps the texts of accounts apart, and each like itself', () => {
  const rules = [rule('prompt_cache_key', { type: 'salt' })]
  const body = '{"prompt_cache_key":"k","n":9007199254740993}'
  const sent = (accountId: string, given = body) => applied(rules, given, {}, accountId).sent
  assert.match(sent('acc_1'), /^\{"prompt_cache_key":"[\w-]{43}","n":9007199254740993\}$/)
  assert.equal(sent('acc_1'), sent('acc_1'))
  assert.notEqual(sent('acc_1'), sent('acc_2'))
  assert.notEqual(sent('acc_1'), sent('acc_1', body.replace('"k"', '"l"')))
  assert.deepEqual(applied(rules, body).losses, ['rewritten /prompt_cache_key'])
  for (const other of ['null', '7', '["k"]']) assert.ok(applied(rules, `{"prompt_cache_key":${other}}`).isSame, other)
})

test('conditions are about the value: all that is said must hold', () => {
  const isHit = (when: ParamCondition, value: string) => !applied([rule('a', DROP, when)], `{"a":${value}}`).isSame
  assert.ok(isHit({ not: 1 }, '0.5') && !isHit({ not: 1 }, '1') && !isHit({ not: 1 }, '1.00000000000000000'))
  assert.ok(isHit({ equals: { b: [1] } }, '{"b":[1]}') && !isHit({ equals: { b: [1] } }, '{"b":[2]}'))
  assert.ok(isHit({ above: 0, below: 2 }, '1') && !isHit({ above: 0, below: 2 }, '2') && !isHit({ above: 0 }, '"1"'))
  assert.ok(isHit({ above: 1 }, '1e400') && isHit({ equals: null }, 'null') && !isHit({ below: 1 }, 'null'))
})

test('a setting that the client said elsewhere is told at its own place', () => {
  const paths = { temperature: '/generationConfig/temperature' }
  assert.deepEqual(applied([rule('temperature', DROP)], '{"temperature":1}', paths).losses, [
    'dropped /generationConfig/temperature',
  ])
})

test("a backend's rules come before its model's", () => {
  const [first, second] = [rule('a', DROP), rule('b', DROP)]
  const of = (backend?: ParamRule, model?: ParamRule) => {
    const rules = (some?: ParamRule) => (some ? { paramRules: [some] } : {})
    const route = routeOf(modelOf('m', rules(model)), backendOf('b', rules(backend)))
    return paramRulesOf({ route })
  }
  assert.deepEqual(
    [of(), of(first), of(undefined, second), of(first, second)],
    [[], [first], [second], [first, second]],
  )
})
