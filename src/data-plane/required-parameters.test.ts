import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Loss } from '#ir/extensions.ts'
import { requireAll, requiresParameters } from './required-parameters.ts'

const loss = (path: string, action: Loss['action'] = 'dropped'): Loss => ({
  path,
  action,
  reason: 'r',
  isSevere: false,
})

test('what is left out of the parameters stands in the way, and nothing else', () => {
  const inTheWay = ['/seed', '/logit_bias', '/reasoning/effort', '/generationConfig/topK', '/model/top_k', '/tools/0']
  for (const path of inTheWay)
    assert.throws(
      () => requireAll([loss('/messages/0/name'), loss(path)], 'a/b'),
      (error) =>
        error instanceof GatewayError &&
        error.code === 'no_backend_meets_policy' &&
        error.details.param === path.slice(1).replace('/', '.') &&
        error.details.requestedModels![0] === 'a/b',
      path,
    )
  const details = [
    '/messages/0/content/1',
    '/input/0',
    '/system/0',
    '/tools/0/function/strict',
    '/transforms',
    '/plugins',
  ]
  requireAll(
    [...details.map((path) => loss(path)), loss('/response_format', 'narrowed'), loss('/stop', 'rewritten')],
    'a/b',
  )
})

test('only a plain true asks for it', () => {
  assert.deepEqual(
    [{ require_parameters: true }, { require_parameters: 'yes' }, {}, null, undefined].map(requiresParameters),
    [true, false, false, false, false],
  )
})
