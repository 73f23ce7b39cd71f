import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Protocol } from '#base/protocols.ts'
import type { ToolCallBlock } from '#ir/blocks.ts'
import type { ChatRequest, FunctionTool, ToolChoice } from '#ir/chat-request.ts'
import { Losses } from '#ir/extensions.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { ToolNames } from './tool-names.ts'

const LEGAL: readonly (readonly [Protocol, RegExp])[] = [
  ['openai-chat', /^[a-zA-Z0-9_-]{1,64}$/],
  ['openai-responses', /^[a-zA-Z0-9_-]{1,64}$/],
  ['anthropic-messages', /^[a-zA-Z0-9_-]{1,128}$/],
  ['gemini', /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/],
  ['bedrock-converse', /^[a-zA-Z0-9_-]{1,64}$/],
]

const tool = (name: string, namespace?: string, index = 0): FunctionTool => ({
  type: 'function',
  name,
  description: null,
  schema: null,
  strict: null,
  path: `/tools/${index}`,
  ...(namespace === undefined ? {} : { namespace }),
})

const call = (name: string, namespace?: string): ToolCallBlock => ({
  type: 'tool-call',
  id: 'c1',
  name,
  arguments: '{}',
  kind: 'function',
  path: '/messages/0',
  ...(namespace === undefined ? {} : { namespace }),
})

const asked = (tools: FunctionTool[], calls: ToolCallBlock[] = [], toolChoice: ToolChoice | null = null) => ({
  ...BLANK_REQUEST,
  tools,
  toolChoice,
  turns: [{ role: 'assistant' as const, blocks: calls, path: '/messages/0' }],
})

function renamed(request: ChatRequest, target: Protocol = 'openai-chat') {
  const names = new ToolNames(request, target)
  const losses = new Losses()
  const sent = names.rename(request, losses)
  return {
    names,
    sent,
    tools: sent.tools.map(({ name }) => name),
    calls: sent.turns.flatMap(({ blocks }) => blocks.map((block) => ('name' in block ? block.name : null))),
    losses: losses.list,
  }
}

test('names that the target takes stay, and nothing is copied', () => {
  const request = asked([tool('search'), tool('open-2')], [call('search'), call('gone')])
  const { sent, names, losses } = renamed(request)
  assert.equal(sent, request)
  assert.ok(names.isPlain)
  assert.deepEqual(losses, [])
})

test('a tool of two namespaces has a name of its own in each', () => {
  const tools = [
    tool('search', 'crm', 0),
    tool('search', 'web', 1),
    tool('search', undefined, 2),
    tool('open', 'web', 3),
  ]
  const calls = [call('search', 'web'), call('search'), call('open', 'web'), call('search', 'gone')]
  const seen = renamed(asked(tools, calls))
  assert.match(seen.tools[0]!, /^crm_search_[0-9a-f]{8}$/)
  assert.match(seen.tools[1]!, /^web_search_[0-9a-f]{8}$/)
  assert.deepEqual(seen.tools.slice(2), ['search', 'open'])
  assert.deepEqual(seen.calls.slice(0, 3), [seen.tools[1], 'search', 'open'])
  assert.match(seen.calls[3]!, /^gone_search_/)
  assert.deepEqual(seen.names.clientOf(seen.tools[0]!), { name: 'search', namespace: 'crm' })
  assert.deepEqual(seen.names.clientOf('open'), { name: 'open', namespace: 'web' })
  assert.deepEqual(
    seen.losses.map(({ path, action }) => `${action} ${path}`),
    ['rewritten /tools/0', 'rewritten /tools/1'],
  )
})

test('a call that names no namespace means the only tool of its name', () => {
  const { calls } = renamed(asked([tool('a.b', 'crm')], [call('a.b')]))
  assert.match(calls[0]!, /^crm_a_b_[0-9a-f]{8}$/)
})

test('a name may be as long as the target says, and begins as it says', () => {
  for (const [target, max] of [
    ['openai-chat', 64],
    ['anthropic-messages', 128],
    ['gemini', 64],
    ['bedrock-converse', 64],
  ] as const) {
    const [fits, tooLong] = renamed(asked([tool('x'.repeat(max)), tool('x'.repeat(max + 1))]), target).tools
    assert.equal(fits, 'x'.repeat(max))
    assert.equal(tooLong!.length, max)
    assert.match(tooLong!, /^x+_[0-9a-f]{8}$/)
  }
  assert.match(renamed(asked([tool('2nd')]), 'gemini').tools[0]!, /^_2nd_[0-9a-f]{8}$/)
  assert.deepEqual(renamed(asked([tool('a.b:c')]), 'gemini').tools, ['a.b:c'])
})

test('a choice of a tool follows its name; a name of several tools means all of them', () => {
  const tools = [tool('search', 'crm'), tool('search', 'web'), tool('a b')]
  const choice = (toolChoice: ToolChoice) => renamed(asked(tools, [], toolChoice))
  const several = choice({ type: 'tool', name: 'search' })
  const [crm, web, spaced] = several.tools
  assert.deepEqual(several.sent.toolChoice, { type: 'allowed', names: [crm, web], isRequired: true })
  assert.deepEqual(choice({ type: 'tool', name: 'a b' }).sent.toolChoice, { type: 'tool', name: spaced })
  const allowed: ToolChoice = { type: 'allowed', names: ['a b', 'search'], isRequired: false }
  assert.deepEqual(choice(allowed).sent.toolChoice, { ...allowed, names: [spaced, crm, web] })
})

test('the choice of a tool that the provider runs is not touched', () => {
  const served = {
    type: 'server',
    name: 'web search',
    kind: 'web-search',
    issuer: 'gemini',
    value: {},
    path: '',
  } as const
  const request: ChatRequest = { ...BLANK_REQUEST, tools: [served], toolChoice: { type: 'tool', name: 'web search' } }
  assert.equal(renamed(request).sent, request)
})

test('a result that tells the name of its function tells the one it is called by', () => {
  const result = {
    type: 'tool-result',
    callId: 'c1',
    name: 'a b',
    content: [],
    isError: null,
    kind: 'function',
    path: '',
  } as const
  const request = { ...asked([tool('a b')]), turns: [{ role: 'tool' as const, blocks: [result], path: '' }] }
  const { calls, tools } = renamed(request)
  assert.deepEqual(calls, tools)
})

/** Names as clients write them, some alike but for what is illegal. */
function randomName(random: (below: number) => number): string {
  const letters = ['a', 'b', '_', '-', '.', ' ', '/', 'é', '🙂', '9', ':']
  if (random(8) === 0) return 'long'.repeat(20 + random(20))
  return Array.from({ length: 1 + random(4) }, () => letters[random(letters.length)]!).join('')
}

test('whatever the names are: legal, unique, the same each turn in any order, and found again', () => {
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((seed / 0x80000000) * below)
  }
  for (let round = 0; round < 400; round++) {
    const clients = new Map<string, FunctionTool>()
    for (let count = 1 + random(8); count > 0; count--) {
      const namespace = [undefined, 'n', 'm', 'n.x'][random(4)]
      const one = tool(randomName(random), namespace)
      clients.set(JSON.stringify([one.name, one.namespace]), one)
    }
    // A name that another one is given may be the client's own already.
    const [target, legal] = LEGAL[random(LEGAL.length)]!
    const taken = renamed(asked([...clients.values()]), target).tools[0]!
    clients.set(JSON.stringify([taken, undefined]), tool(taken))
    const tools = [...clients.values()]
    const calls = tools.map(({ name, namespace }) => call(name, namespace))
    const seen = renamed(asked(tools, calls), target)
    for (const name of seen.tools) assert.match(name, legal)
    assert.equal(new Set(seen.tools).size, tools.length, JSON.stringify(seen.tools))
    assert.deepEqual(seen.calls, seen.tools)
    for (const [index, wire] of seen.tools.entries()) {
      const { name, namespace } = tools[index]!
      assert.deepEqual(seen.names.clientOf(wire), { name, namespace })
    }
    const turned = renamed(asked(tools.toReversed(), calls), target)
    assert.deepEqual(new Set(turned.tools), new Set(seen.tools))
  }
})
