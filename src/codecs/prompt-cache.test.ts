import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MARKED_BYTES_MIN, markPrompt, PREFIX_TOKENS_MIN, prefixTokensMin } from './prompt-cache.ts'

const LONG = 'x'.repeat(MARKED_BYTES_MIN)
const MARK = { type: 'ephemeral' }
const user = (content: unknown) => ({ role: 'user', content })
const assistant = (content: unknown) => ({ role: 'assistant', content })

const mark = (
  body: object,
  form: 'top' | 'blocks' = 'blocks',
  protocol: 'anthropic-messages' | 'openai-chat' | 'openai-responses' = 'anthropic-messages',
) => {
  const marked = markPrompt(Buffer.from(JSON.stringify(body)), protocol, form, PREFIX_TOKENS_MIN)
  return marked === null ? null : JSON.parse(marked.toString())
}

describe('whether', () => {
  test('at the least length and not below it; the last turn does not count', () => {
    const body = (system: string) => Buffer.from(`{"system":"${system}","messages":[{"role":"user","content":"hi"}]}`)
    const rest = '{"system":"","messages":[]}'.length
    const bytes = MARKED_BYTES_MIN - rest
    const run = (length: number) => markPrompt(body('x'.repeat(length)), 'anthropic-messages', 'top', PREFIX_TOKENS_MIN)
    assert.equal(run(bytes - 1), null)
    assert.notEqual(run(bytes), null)
    assert.equal(mark({ messages: [user(LONG)] }, 'top'), null)
    assert.equal(mark({ input: LONG, model: 'm' }, 'top', 'openai-responses'), null)
  })

  test('what the client marked itself, anywhere, stays as it is', () => {
    assert.equal(mark({ system: LONG, cache_control: null, messages: [user('hi')] }), null)
    assert.equal(mark({ system: LONG, messages: [user([{ type: 'text', text: 'a', cache_control: MARK }])] }), null)
    // Within a text it is no mark.
    assert.notEqual(mark({ system: `${LONG} "cache_control"`, messages: [user('hi')] }), null)
  })

  test('each model has its own least length', () => {
    assert.equal(prefixTokensMin('us.anthropic.claude-haiku-4-5-20251001-v1:0'), 4096)
    assert.equal(prefixTokensMin('claude-3-5-haiku-latest'), 2048)
    assert.equal(prefixTokensMin('claude-sonnet-4-5'), PREFIX_TOKENS_MIN)
  })
})

describe('at the top', () => {
  test('one member is added and no other byte changes', () => {
    const body = `{ "seed": 9007199254740993,"system":"${LONG}" , "messages":[{"role":"user","content":"hi"}]}`
    const marked = markPrompt(Buffer.from(body), 'anthropic-messages', 'top', PREFIX_TOKENS_MIN)!.toString()
    assert.equal(marked, `{"cache_control":{"type":"ephemeral"},${body.slice(1)}`)
  })

  test('in chat and Responses too, as OpenRouter takes it', () => {
    const chat = { messages: [{ role: 'system', content: LONG }, user('hi')] }
    assert.deepEqual(mark(chat, 'top', 'openai-chat'), { cache_control: MARK, ...chat })
    const responses = { instructions: LONG, input: 'hi' }
    assert.deepEqual(mark(responses, 'top', 'openai-responses'), { cache_control: MARK, ...responses })
  })
})

describe('in the blocks', () => {
  test('last tool, instructions as text, second-to-last turn of the user', () => {
    const tools = [
      { name: 'a', input_schema: {} },
      { name: 'b', input_schema: {} },
    ]
    const messages = [
      user('1'),
      assistant('2'),
      user([
        { type: 'text', text: '3' },
        { type: 'text', text: '4' },
      ]),
      assistant('5'),
      user('6'),
    ]
    assert.deepEqual(mark({ tools, system: LONG, messages }), {
      tools: [tools[0], { cache_control: MARK, ...tools[1] }],
      system: [{ type: 'text', text: LONG, cache_control: MARK }],
      messages: [
        messages[0],
        messages[1],
        user([
          { type: 'text', text: '3' },
          { cache_control: MARK, type: 'text', text: '4' },
        ]),
        messages[3],
        messages[4],
      ],
    })
  })

  test('instructions as blocks, a turn as text', () => {
    const system = [
      { type: 'text', text: LONG },
      { type: 'text', text: 'end' },
    ]
    assert.deepEqual(mark({ system, messages: [user('1'), assistant('2'), user('3')] }), {
      system: [system[0], { cache_control: MARK, ...system[1] }],
      messages: [user([{ type: 'text', text: '1', cache_control: MARK }]), assistant('2'), user('3')],
    })
  })

  test('what cannot be marked is not', () => {
    const body = {
      tools: [{ name: 'a', defer_loading: true, input_schema: {} }],
      system: [{ type: 'text', text: '' }],
      messages: [user(''), assistant(LONG), user('3')],
    }
    assert.equal(mark(body), null)
    assert.equal(mark({ system: '', tools: [], messages: [assistant(LONG), user('3')] }), null)
  })
})
