import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TargetTraits } from '#codecs/translation.ts'
import type { Block } from '#ir/blocks.ts'
import type { ChatRequest, ReasoningControl } from '#ir/chat-request.ts'
import { call, encode, type GivenTurn, NOVA, reasoning, result, tool, turns } from './testbed.ts'

const paths = { reasoning: '/reasoning_effort', outputTokensMax: '/max_tokens' }

/** The fields for the model, the limit, and the losses. */
function asked(
  control: Partial<ReasoningControl>,
  target: Partial<TargetTraits> = {},
  request: Partial<ChatRequest> = {},
): unknown[] {
  const { body, losses } = encode({ reasoning: reasoning(control), paths, ...request }, target)
  const { inferenceConfig, additionalModelRequestFields: fields } = body
  return [fields, (inferenceConfig as { maxTokens?: number } | undefined)?.maxTokens, ...losses]
}
const thinking = (budget: number) => ({ thinking: { type: 'enabled', budget_tokens: budget } })
const BUDGET = 'rewritten /reasoning_effort: the model takes a budget of tokens'

test('an effort becomes a share of the limit', () => {
  const share = (effort: string) => asked({ effort }, {}, { outputTokensMax: 20_000 })
  for (const [effort, budget] of [
    ['minimal', 2000],
    ['low', 4000],
    ['medium', 10_000],
    ['high', 16_000],
    ['xhigh', 19_000],
    ['max', 19_000],
    ['a word of tomorrow', 16_000],
  ] as const)
    assert.deepEqual(share(effort), [thinking(budget), 20_000, BUDGET], effort)
})

test("without the client's limit the model's own is told, because a budget has to be lower", () => {
  assert.deepEqual(asked({ enabled: true }, { outputTokensMax: 10_000 }), [thinking(8000), 10_000])
  assert.deepEqual(asked({ enabled: true }), [thinking(32_000), 64_000])
  assert.deepEqual(asked({ enabled: true }, { outputTokensMax: null }), [thinking(25_600), undefined])
})

test('a limit that does not hold the least budget is raised (R34)', () => {
  const raised = 'rewritten /max_tokens: the limit has to leave room for the reasoning'
  assert.deepEqual(asked({ enabled: true }, {}, { outputTokensMax: 500 }), [thinking(1024), 1280, raised])
  assert.deepEqual(asked({ enabled: true }, {}, { outputTokensMax: 1024 }), [thinking(1024), 1280, raised])
  assert.deepEqual(asked({ enabled: true }, {}, { outputTokensMax: 1025 }), [thinking(1024), 1025])
  assert.deepEqual(asked({ enabled: true }, {}, { outputTokensMax: 0 }), [thinking(1024), 1280, raised])
})

test("the client's budget is kept where it fits", () => {
  const budget = (budgetTokens: number, outputTokensMax: number) => asked({ budgetTokens }, {}, { outputTokensMax })
  const narrowed = (max: number) => `narrowed /reasoning_effort: the budget has to be from 1024 to ${max} tokens`
  assert.deepEqual(budget(3000, 8000), [thinking(3000), 8000])
  assert.deepEqual(budget(10, 8000), [thinking(1024), 8000, narrowed(7999)])
  assert.deepEqual(budget(8000, 8000), [thinking(7999), 8000, narrowed(7999)])
  assert.deepEqual(budget(60_000, 64_000), [thinking(32_000), 64_000, narrowed(32_000)])
})

test('adaptive is a budget where the model knows nothing else', () => {
  assert.deepEqual(asked({ isAdaptive: true }, {}, { outputTokensMax: 10_000 }), [thinking(8000), 10_000, BUDGET])
})

test('what is said of showing it alone', () => {
  const hidden = { thinking: { type: 'enabled', budget_tokens: 8000, display: 'omitted' } }
  assert.deepEqual(asked({ isShown: true }, {}, { outputTokensMax: 10_000 }), [thinking(8000), 10_000])
  assert.deepEqual(asked({ isShown: false }), [undefined, undefined])
  assert.deepEqual(asked({ enabled: true, isShown: false }, {}, { outputTokensMax: 10_000 }), [hidden, 10_000])
  assert.deepEqual(asked({ summary: 'auto' }), [undefined, undefined])
  assert.deepEqual(asked({ summary: 'detailed' }), [
    undefined,
    undefined,
    'dropped /reasoning_effort/summary: Bedrock has no kinds of summaries',
  ])
})

test('models that decide themselves', () => {
  const adaptive = { reasoning: 'adaptive', outputTokensMax: 10_000 } as const
  const fields = (effort?: string, display = 'summarized') => ({
    thinking: { type: 'adaptive', display },
    ...(effort === undefined ? {} : { output_config: { effort } }),
  })
  assert.deepEqual(asked({ enabled: true }, adaptive), [fields(), undefined])
  assert.deepEqual(asked({ effort: 'xhigh' }, adaptive), [fields('xhigh'), undefined])
  assert.deepEqual(asked({ effort: 'minimal' }, adaptive), [
    fields('low'),
    undefined,
    'narrowed /reasoning_effort: the least effort is low',
  ])
  assert.deepEqual(asked({ isAdaptive: true, isShown: false }, adaptive), [fields(undefined, 'omitted'), undefined])
  const rewritten = 'rewritten /reasoning_effort: the model takes an effort'
  assert.deepEqual(asked({ budgetTokens: 2000 }, adaptive), [fields('low'), undefined, rewritten])
  assert.deepEqual(asked({ budgetTokens: 2001 }, adaptive), [fields('medium'), undefined, rewritten])
  assert.deepEqual(asked({ budgetTokens: 9999 }, adaptive), [fields('high'), undefined, rewritten])
})

test('models of other makers spell an effort their own way', () => {
  const effort = { reasoning: 'effort' } as const
  const by = (model: string, control: Partial<ReasoningControl>) => asked(control, { ...effort, model })
  assert.deepEqual(by('openai.gpt-oss-120b-1:0', { effort: 'low' }), [{ reasoning_effort: 'low' }, undefined])
  assert.deepEqual(by('qwen.qwen3-32b-v1:0', { enabled: true }), [{ reasoning_config: 'high' }, undefined])
  assert.deepEqual(by(NOVA, { effort: 'max' }), [
    { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'high' } },
    undefined,
    'narrowed /reasoning_effort: the model knows the efforts low medium and high',
  ])
})

test('off', () => {
  for (const off of [{ enabled: false }, { effort: 'none' }, { budgetTokens: 0 }]) {
    assert.deepEqual(asked(off), [undefined, undefined])
    assert.deepEqual(asked(off, { reasoning: 'none' }), [undefined, undefined])
    assert.deepEqual(asked(off, { reasoning: 'adaptive' }), [{ thinking: { type: 'disabled' } }, undefined])
    assert.deepEqual(asked(off, { reasoning: 'effort', model: NOVA }), [
      { reasoningConfig: { type: 'disabled' } },
      undefined,
    ])
    const cannot = 'dropped /reasoning_effort: the model cannot be told not to reason'
    assert.deepEqual(asked(off, { reasoning: 'effort', model: 'openai.gpt-oss-20b-1:0' }), [
      undefined,
      undefined,
      cannot,
    ])
    assert.deepEqual(asked(off, { reasoning: 'adaptive', model: 'anthropic.claude-mythos-5' }), [
      undefined,
      undefined,
      cannot,
    ])
  }
})

test('a model that does not reason', () => {
  const cannot = 'dropped /reasoning_effort: the model does not reason'
  assert.deepEqual(asked({ effort: 'low' }, { reasoning: 'none' }), [undefined, undefined, cannot])
})

test('a tool turn that the model did not begin with its own reasoning goes on without (B3)', () => {
  const own: Block = {
    type: 'reasoning',
    text: 'Hm',
    seal: { issuer: 'bedrock-converse', kind: 'signature', value: 's' },
    id: null,
    path: '/r',
  }
  const seen = (first: readonly Block[], more: GivenTurn[], target: Partial<TargetTraits> = {}) => {
    const tail = turns(...more)
    const request = {
      tools: [tool('f')],
      outputTokensMax: 10_000,
      turns: [
        ...turns(['user', 'x'], ['assistant', ...first, call('a', 'f', '{}')], ['user', result('a', 'r')]),
        ...tail,
      ],
    }
    return asked({ enabled: true }, target, request)
  }
  const foreign = [undefined, 10_000, 'dropped /reasoning_effort: foreign_reasoning']
  const goesOn = [thinking(8000), 10_000]
  const again: GivenTurn[] = [
    ['assistant', call('b', 'f', '{}')],
    ['user', result('b', 'r')],
  ]
  assert.deepEqual(seen([], []), foreign)
  assert.deepEqual(seen([], again), foreign)
  assert.deepEqual(seen([own], []), goesOn)
  assert.deepEqual(seen([own], again), goesOn)
  assert.deepEqual(
    seen(
      [],
      [
        ['assistant', 'done'],
        ['user', 'next'],
      ],
    ),
    goesOn,
  )
  assert.deepEqual(seen([], [], { reasoning: 'adaptive' })[0], {
    thinking: { type: 'adaptive', display: 'summarized' },
  })
})
