import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import { Losses } from '#ir/extensions.ts'
import { Report, REPORT_BYTES_MAX, REPORTED_MAX, WARNINGS_MAX } from './report.ts'

function reportOf(count: number, path = (at: number) => `/a/${at}`): Report {
  const losses = new Losses()
  for (let at = 0; at < count; at++) losses.dropped(path(at), 'no place')
  const report = new Report()
  report.declare('openai-chat', 'gemini', losses.list, null)
  return report
}

test('a request that lost nothing says nothing', () => {
  const report = new Report()
  assert.deepEqual(report.kept(), { warnings: [], warnings_more: 0 })
  assert.deepEqual([report.headerTexts(true), report.headerTexts(false)], [[], []])
  assert.equal(report.json(), '{"warnings":[]}')
})

test('request, balance and answer are told with the protocol that had no place', () => {
  const report = reportOf(1)
  report.limit('openai-chat', 'gemini', 300)
  const answer = new AnswerLosses('gemini', 'openai-chat')
  const losses = new Losses()
  losses.narrowed('/b', 'too much')
  report.declare('openai-chat', 'gemini', losses.list, answer)
  answer.finish({ type: 'finish', candidate: 0, reason: 'content-filter', raw: 'SPII', stopSequence: null }, 'stop')
  const limit = {
    path: '/max_tokens',
    action: 'narrowed',
    reason: 'lowered to 300 tokens by the balance',
    target: 'gemini',
  }
  const finish = {
    path: '/response/candidates/0/finishReason',
    action: 'rewritten',
    reason: 'SPII is told as stop',
    target: 'openai-chat',
  }
  const narrowed = { path: '/b', action: 'narrowed', reason: 'too much', target: 'gemini' }
  assert.deepEqual(report.kept(), { warnings: [limit, narrowed, finish], warnings_more: 0 })
  assert.deepEqual(JSON.parse(report.json()), { warnings: [limit, narrowed, finish] })
  assert.deepEqual(report.headerTexts(false), [
    'param=max_tokens;action=narrow;reason=lowered to 300 tokens by the balance',
    'param=b;action=narrow;reason=too much',
  ])
  assert.equal(
    report.headerTexts(true)[2],
    'param=response.candidates.0.finishReason;action=rewrite;reason=SPII is told as stop',
  )
})

test('a header has a bounded number of entries, and counts the others', () => {
  assert.equal(reportOf(WARNINGS_MAX).headerTexts(false).length, WARNINGS_MAX)
  const texts = reportOf(WARNINGS_MAX + 5).headerTexts(false)
  assert.deepEqual([texts.length, texts.at(-1)], [WARNINGS_MAX + 1, 'more=5'])
})

test('a row keeps a bounded number of losses, and counts the others', () => {
  assert.deepEqual(
    [reportOf(REPORTED_MAX).kept().warnings.length, reportOf(REPORTED_MAX).kept().warnings_more],
    [REPORTED_MAX, 0],
  )
  const { warnings, warnings_more: more } = reportOf(REPORTED_MAX + 7).kept()
  assert.deepEqual([warnings.length, more], [REPORTED_MAX, 7])
  assert.equal((JSON.parse(reportOf(REPORTED_MAX + 7).json()) as { more: number }).more, 7)
})

test('long paths are cut, and the whole is bounded in bytes', () => {
  const { warnings, warnings_more: more } = reportOf(REPORTED_MAX, (at) => `/${'ü'.repeat(1000)}${at}`).kept()
  assert.ok(Buffer.byteLength(JSON.stringify(warnings)) <= REPORT_BYTES_MAX)
  assert.ok(warnings.length < REPORTED_MAX)
  assert.equal(warnings.length + more, REPORTED_MAX)
})

test('a header entry cannot end the header or start another', () => {
  const losses = new Losses()
  losses.dropped('/a\r\nx,b;c', 'ü, or; so')
  const report = new Report()
  report.declare('openai-chat', 'gemini', losses.list, null)
  assert.deepEqual(report.headerTexts(false), ['param=a__x_b_c;action=drop;reason=__ or_ so'])
})
