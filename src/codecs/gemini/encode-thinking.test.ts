import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReasoningControl } from '#ir/chat-request.ts'
import { BUDGET_TARGET, LEVEL_TARGET, sent } from './testbed.ts'

const SILENT: ReasoningControl = {
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
}

function thinking(control: Partial<ReasoningControl>, target = BUDGET_TARGET, outputTokensMax: number | null = null) {
  const { body, losses } = sent(
    { reasoning: { ...SILENT, ...control }, outputTokensMax, paths: { reasoning: '/r' } },
    target,
  )
  const config = body['generationConfig'] as { thinkingConfig?: unknown } | undefined
  return [config?.thinkingConfig, losses]
}

test('nothing said is nothing asked', () => {
  assert.deepEqual(sent({}).body['generationConfig'], undefined)
})

test('a budget is kept within the range of the model', () => {
  const shown = { includeThoughts: true }
  assert.deepEqual(thinking({ budgetTokens: 2048 }), [{ thinkingBudget: 2048, ...shown }, []])
  assert.deepEqual(thinking({ budgetTokens: 1 }), [{ thinkingBudget: 128, ...shown }, ['narrowed /r']])
  assert.deepEqual(thinking({ budgetTokens: 99_999 }), [{ thinkingBudget: 32_768, ...shown }, ['narrowed /r']])
  assert.deepEqual(thinking({ isAdaptive: true }), [{ thinkingBudget: -1, ...shown }, []])
  assert.deepEqual(thinking({ enabled: true }), [{ thinkingBudget: -1, ...shown }, []])
  const unknownRange = { ...BUDGET_TARGET, reasoningBudget: { min: 0, max: 0 } }
  assert.deepEqual(thinking({ budgetTokens: 7 }, unknownRange), [{ thinkingBudget: 7, ...shown }, []])
})

test('an effort is a share of the output limit', () => {
  const budget = (effort: string, limit: number | null) => {
    const [config, losses] = thinking({ effort }, BUDGET_TARGET, limit) as [{ thinkingBudget: number }, string[]]
    assert.deepEqual(losses, ['rewritten /r'])
    return config.thinkingBudget
  }
  assert.equal(budget('low', 10_000), 2000)
  assert.equal(budget('medium', 10_000), 5000)
  assert.equal(budget('high', 10_000), 8000)
  assert.equal(budget('minimal', 10_000), 1024)
  assert.equal(budget('low', 100), 1024)
  assert.equal(budget('high', null), 32_768)
  assert.equal(budget('odd', 10_000), -1)
})

test('off is off', () => {
  for (const off of [{ enabled: false }, { effort: 'none' }, { budgetTokens: 0 }])
    assert.deepEqual(thinking(off), [{ thinkingBudget: 0 }, []])
  assert.deepEqual(thinking({ enabled: false, isShown: false }), [{ thinkingBudget: 0, includeThoughts: false }, []])
})

test('thoughts are shown unless the client does not want them', () => {
  assert.deepEqual(thinking({ budgetTokens: 200, isShown: false }), [
    { thinkingBudget: 200, includeThoughts: false },
    [],
  ])
  // What Gemini's own clients say with `includeThoughts` alone.
  assert.deepEqual(thinking({ enabled: true, isShown: true }), [{ includeThoughts: true }, []])
  assert.deepEqual(thinking({ isShown: false }), [{ includeThoughts: false }, []])
})

test('since Gemini 3 there are levels', () => {
  const level = (control: Partial<ReasoningControl>, limit: number | null = null) =>
    thinking(control, LEVEL_TARGET, limit)
  const shown = { includeThoughts: true }
  assert.deepEqual(level({ effort: 'low' }), [{ thinkingLevel: 'low', ...shown }, []])
  assert.deepEqual(level({ effort: 'medium' }), [{ thinkingLevel: 'medium', ...shown }, []])
  assert.deepEqual(level({ effort: 'high' }), [{ thinkingLevel: 'high', ...shown }, []])
  assert.deepEqual(level({ effort: 'xhigh' }), [{ thinkingLevel: 'high', ...shown }, ['narrowed /r']])
  assert.deepEqual(level({ effort: 'odd' }), [shown, ['dropped /r']])
  assert.deepEqual(level({ effort: 'minimal' }), [{ thinkingLevel: 'low', ...shown }, ['narrowed /r']])
  assert.deepEqual(level({ enabled: true }), [shown, []])
  assert.deepEqual(level({ isAdaptive: true }), [shown, []])
  assert.deepEqual(level({ enabled: false }), [{ thinkingLevel: 'low' }, ['narrowed /r']])
  assert.deepEqual(level({ budgetTokens: 1000 }, 10_000), [{ thinkingLevel: 'low', ...shown }, ['rewritten /r']])
  assert.deepEqual(level({ budgetTokens: 5000 }, 10_000), [{ thinkingLevel: 'medium', ...shown }, ['rewritten /r']])
  assert.deepEqual(level({ budgetTokens: 9000 }, 10_000), [{ thinkingLevel: 'high', ...shown }, ['rewritten /r']])
  const flash = { ...LEVEL_TARGET, model: 'gemini-3-flash' }
  assert.deepEqual(thinking({ effort: 'minimal' }, flash), [{ thinkingLevel: 'minimal', ...shown }, []])
  assert.deepEqual(thinking({ enabled: false }, flash), [{ thinkingLevel: 'minimal' }, ['narrowed /r']])
})

test('a model that does not reason is not asked to', () => {
  const target = { ...BUDGET_TARGET, reasoning: 'none' as const }
  assert.deepEqual(thinking({ effort: 'high' }, target), [undefined, ['dropped /r']])
  assert.deepEqual(thinking({ enabled: false }, target), [undefined, []])
})

test('a model that always reasons does so as little as it can', () => {
  const pro = { ...BUDGET_TARGET, alwaysReasons: true }
  assert.deepEqual(thinking({ enabled: false }, pro), [{ thinkingBudget: 128 }, ['narrowed /r']])
})
