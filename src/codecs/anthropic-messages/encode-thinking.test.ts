import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TargetTraits } from '#codecs/translation.ts'
import type { Block, Seal } from '#ir/blocks.ts'
import type { ReasoningControl, Turn } from '#ir/chat-request.ts'
import { encoded, lost, roundTrip } from './testbed.ts'

const NOTHING: ReasoningControl = {
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
}
const OWN: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 'S==' }
const ADAPTIVE: Partial<TargetTraits> = { reasoning: 'adaptive' }

/** What is asked for, the limit, and what was lost. */
function asked(
  control: Partial<ReasoningControl>,
  limit: number | null,
  target: Partial<TargetTraits> = {},
): unknown[] {
  const result = encoded({ reasoning: { ...NOTHING, ...control }, outputTokensMax: limit }, target)
  const { thinking, output_config: config, max_tokens: maxTokens } = result.body
  return [thinking, (config as { effort?: string } | undefined)?.effort, maxTokens, lost(result)]
}

const budget = (tokens: number) => ({ type: 'enabled', budget_tokens: tokens })

describe('reasoning with a budget', () => {
  test('efforts are shares of the limit', () => {
    const rewritten = ['rewritten /reasoning']
    assert.deepEqual(asked({ effort: 'low' }, 10_000), [budget(2000), undefined, 10_000, rewritten])
    assert.deepEqual(asked({ effort: 'medium' }, 10_000), [budget(5000), undefined, 10_000, rewritten])
    assert.deepEqual(asked({ effort: 'high' }, 10_000), [budget(8000), undefined, 10_000, rewritten])
    assert.deepEqual(asked({ effort: 'minimal' }, 4000), [budget(1024), undefined, 4000, rewritten])
    assert.deepEqual(asked({ effort: 'high' }, null), [budget(32_000), undefined, 64_000, rewritten])
    assert.deepEqual(asked({ isAdaptive: true }, 10_000), [budget(8000), undefined, 10_000, rewritten])
    assert.deepEqual(asked({ enabled: true }, 10_000), [budget(8000), undefined, 10_000, []])
    assert.deepEqual(asked({ isShown: true }, 10_000), [budget(8000), undefined, 10_000, []])
  })

  test('a limit without room for it is raised (R34)', () => {
    assert.deepEqual(asked({ enabled: true }, 500), [budget(1024), undefined, 1280, ['rewritten /outputTokensMax']])
    assert.deepEqual(asked({ enabled: true }, 1024), [budget(1024), undefined, 1280, ['rewritten /outputTokensMax']])
    assert.deepEqual(asked({ enabled: true }, 1025), [budget(1024), undefined, 1025, []])
    assert.deepEqual(asked({ enabled: true }, null, { outputTokensMax: 800 }), [budget(1024), undefined, 1280, []])
  })

  test('a budget of the client’s own stays within the model and the limit', () => {
    const narrowed = ['narrowed /reasoning']
    assert.deepEqual(asked({ budgetTokens: 3000 }, 4000), [budget(3000), undefined, 4000, []])
    assert.deepEqual(asked({ budgetTokens: 100 }, 4000), [budget(1024), undefined, 4000, narrowed])
    assert.deepEqual(asked({ budgetTokens: 60_000 }, 64_000), [budget(32_000), undefined, 64_000, narrowed])
    assert.deepEqual(asked({ budgetTokens: 4000 }, 4000), [budget(3200), undefined, 4000, narrowed])
  })

  test('off is off, and nothing is nothing', () => {
    const off = [{ type: 'disabled' }, undefined, 100, []]
    assert.deepEqual(asked({ enabled: false }, 100), off)
    assert.deepEqual(asked({ effort: 'none' }, 100), off)
    assert.deepEqual(asked({ budgetTokens: 0 }, 100), off)
    assert.deepEqual(asked({ summary: 'auto' }, 100), [undefined, undefined, 100, []])
  })

  test('sampling values that the API refuses beside it are dropped', () => {
    const reasoning = { ...NOTHING, enabled: true }
    const result = encoded({ reasoning, sampling: { temperature: 0, topP: 0.5, topK: 1 } })
    assert.deepEqual(lost(result), ['dropped /temperature', 'dropped /topP', 'dropped /topK'])
    const kept = encoded({ reasoning, sampling: { temperature: 2 } })
    assert.deepEqual([kept.body['temperature'], lost(kept)], [1, ['narrowed /temperature']])
    assert.equal(encoded({ reasoning, sampling: { topP: 0.95 } }).body['top_p'], 0.95)
  })
})

describe('reasoning that the model measures', () => {
  const summarized = { type: 'adaptive', display: 'summarized' }

  test('efforts are the API’s own', () => {
    assert.deepEqual(asked({ effort: 'high' }, 100, ADAPTIVE), [summarized, 'high', 100, []])
    assert.deepEqual(asked({ effort: 'minimal' }, 100, ADAPTIVE), [summarized, 'low', 100, ['rewritten /reasoning']])
    assert.deepEqual(asked({ effort: 'ultra' }, 100, ADAPTIVE), [summarized, 'high', 100, ['rewritten /reasoning']])
    assert.deepEqual(asked({ isAdaptive: true }, 100, ADAPTIVE), [summarized, undefined, 100, []])
    assert.deepEqual(asked({ enabled: true, isShown: false }, 100, ADAPTIVE), [
      { type: 'adaptive', display: 'omitted' },
      undefined,
      100,
      [],
    ])
  })

  test('a budget is an effort', () => {
    const rewritten = ['rewritten /reasoning']
    assert.deepEqual(asked({ budgetTokens: 10 }, 100, ADAPTIVE), [summarized, 'low', 100, rewritten])
    assert.deepEqual(asked({ budgetTokens: 50 }, 100, ADAPTIVE), [summarized, 'medium', 100, rewritten])
    assert.deepEqual(asked({ budgetTokens: 90 }, 100, ADAPTIVE), [summarized, 'high', 100, rewritten])
  })
})

test('a model that does not reason is not asked to', () => {
  const target = { reasoning: 'none' } as const
  assert.deepEqual(asked({ effort: 'high' }, 100, target), [undefined, undefined, 100, ['dropped /reasoning']])
  assert.deepEqual(asked({ enabled: false }, 100, target), [undefined, undefined, 100, []])
})

describe('a tool loop that is not over', () => {
  const call: Block = { type: 'tool-call', id: 'c', name: 'f', arguments: '', kind: 'function', path: '/c' }
  const again: Block = { ...call, id: 'd' }
  const result = (callId: string): Block => ({
    type: 'tool-result',
    callId,
    name: null,
    content: [],
    isError: null,
    kind: 'function',
    path: '/r',
  })
  const text: Block = { type: 'text', text: 'a', path: '/t/0' }
  const thinking: Block = { type: 'reasoning', text: 'hm', seal: OWN, id: null, path: '/s' }
  const foreign: Block = { ...thinking, seal: { ...OWN, issuer: 'gemini' }, path: '/g' }
  const turn = (role: Turn['role'], ...blocks: readonly Block[]): Turn => ({ role, blocks, path: '/m' })
  const user = turn('user', text)
  const reasoning = { ...NOTHING, effort: 'high' }
  const ask = (turns: readonly Turn[], target: Partial<TargetTraits> = {}) => {
    const result = encoded({ turns, reasoning, paths: { reasoning: '/reasoning_effort' } }, target)
    return [result.body['thinking'] !== undefined, lost(result)]
  }
  const dropped = ['dropped /g', 'rewritten /reasoning_effort', 'dropped /reasoning_effort']
  const rewritten = ['rewritten /reasoning_effort']

  test('goes on without reasoning when it did not begin with the API’s own', () => {
    assert.deepEqual(ask([user, turn('assistant', foreign, call), turn('tool', result('c'))]), [false, dropped])
    const { losses } = encoded({ turns: [user, turn('assistant', call), turn('tool', result('c'))], reasoning })
    assert.equal(losses.at(-1)!.reason, 'foreign_reasoning')
  })

  test('goes on with it when it did, also some calls later', () => {
    const loop = [user, turn('assistant', thinking, call), turn('tool', result('c'))]
    assert.deepEqual(ask(loop), [true, rewritten])
    assert.deepEqual(ask([...loop, turn('assistant', again), turn('tool', result('d'))]), [true, rewritten])
  })

  test('reasoning comes first when turns were merged', () => {
    const turns = [user, turn('assistant', text), turn('assistant', thinking, call), turn('tool', result('c'))]
    const { body } = encoded({ turns, reasoning })
    const [, assistant] = body['messages'] as { content: { type: string }[] }[]
    assert.deepEqual(
      assistant!.content.map(({ type }) => type),
      ['thinking', 'text', 'tool_use'],
    )
  })

  test('matters neither when it is over nor to models that decide on their own', () => {
    const over = [user, turn('assistant', call), turn('tool', result('c')), turn('assistant', text), user]
    assert.deepEqual(ask(over), [true, rewritten])
    assert.deepEqual(ask([user, turn('assistant', call), turn('tool', result('c'))], ADAPTIVE), [true, []])
  })

  test('holds for a client of the same protocol that another upstream has served', () => {
    const data = Buffer.from('tv1[["gemini","s","G==","reasoning",null,null]]').toString('base64')
    const { body, losses } = roundTrip({
      messages: [
        { role: 'user', content: 'a' },
        {
          role: 'assistant',
          content: [
            { type: 'redacted_thinking', data },
            { type: 'tool_use', id: 'c', name: 'f', input: {} },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c' }] },
      ],
      thinking: budget(2000),
      max_tokens: 9000,
    })
    assert.equal(body['thinking'], undefined)
    assert.deepEqual(
      losses.map(({ path, reason }) => `${path} ${reason}`),
      ['/messages/1/content/0 foreign_reasoning', '/thinking foreign_reasoning'],
    )
  })
})
