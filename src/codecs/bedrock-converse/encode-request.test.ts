import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawNumber } from '#base/exact-json.ts'
import type { Block, ReasoningBlock, Seal } from '#ir/blocks.ts'
import { call, CLAUDE, encode, type GivenTurn, LLAMA, NOVA, result, text, tool, turns } from './testbed.ts'

const messagesOf = (...given: GivenTurn[]) =>
  encode({ turns: turns(...given) }).body['messages'] as { content: unknown[] }[]
const user = (...content: unknown[]) => ({ role: 'user', content })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content })
const T = (words: string) => ({ text: words })

test('the smallest request', () => {
  const encoded = encode({ turns: turns(['user', 'Hi']), stream: true })
  assert.deepEqual(encoded.body, { messages: [user(T('Hi'))] })
  assert.deepEqual(encoded.losses, [])
  assert.equal(encoded.formatTool, null)
  assert.equal(encoded.emulatedCustomTools.size, 0)
})

test('roles alternate: turns of one role are merged in their order', () => {
  assert.deepEqual(
    messagesOf(['user', 'a'], ['user', 'b', 'c'], ['assistant', 'd'], ['assistant', 'e'], ['user', 'f']),
    [user(T('a'), T('b'), T('c')), assistant(T('d'), T('e')), user(T('f'))],
  )
})

test('instructions of all places go to the front; those in mid-conversation are declared', () => {
  const { body, losses } = encode({
    instructions: [{ type: 'text', text: 'A', path: '/system', cacheControl: { type: 'ephemeral' } }],
    turns: turns(['system', 'B'], ['user', 'x'], ['developer', 'C', ' ']),
  })
  assert.deepEqual(body['system'], [T('A'), { cachePoint: { type: 'default' } }, T('B'), T('C')])
  assert.deepEqual(body['messages'], [user(T('x'))])
  assert.deepEqual(losses, [
    'rewritten /messages/2: instructions in mid-conversation go to the front',
    'dropped /messages/2/content/1: Bedrock takes no blank text',
  ])
})

test('instructions are text', () => {
  const image: Block = {
    type: 'media',
    kind: 'image',
    source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    path: '/i',
  }
  const opaque: Block = { type: 'opaque', issuer: 'anthropic-messages', value: {}, path: '/o' }
  const { body, losses } = encode({ turns: turns(['system', image, opaque], ['user', 'x']) })
  assert.equal(body['system'], undefined)
  assert.deepEqual(losses, [
    'dropped! /i: Bedrock takes instructions as text only',
    'dropped /o: only anthropic-messages understands it',
  ])
})

test('a text that is empty says nothing, one of blanks is declared, and empty messages vanish', () => {
  const encoded = encode({ turns: turns(['user', 'a'], ['assistant', ''], ['user', ' \n', 'b', ' c ']) })
  assert.deepEqual(encoded.body['messages'], [user(T('a'), T('b'), T(' c '))])
  assert.deepEqual(encoded.losses, ['dropped /messages/2/content/0: Bedrock takes no blank text'])
})

test('the beginning of an answer must not end in white space', () => {
  const encoded = encode({ turns: turns(['user', 'a'], ['assistant', 'So: \n']) })
  assert.deepEqual(encoded.body['messages'], [user(T('a')), assistant(T('So:'))])
  assert.deepEqual(encoded.losses, ['rewritten /messages/1: the beginning of an answer cannot end in white space'])
  assert.deepEqual(messagesOf(['user', 'a'], ['assistant', 'So: '], ['user', 'b '])[1], assistant(T('So: ')))
})

test('calls and results; results stand first', () => {
  const encoded = encode({
    tools: [tool('f')],
    turns: turns(
      ['user', 'go'],
      ['assistant', 'I call.', call('a', 'f', '{"n":1}'), call('b', 'f', '')],
      ['tool', result('b', 'two')],
      ['tool', result('a', 'one')],
      ['user', 'and?', result('a', 'again')],
    ),
  })
  const [, second, third] = encoded.body['messages'] as { content: unknown }[]
  assert.deepEqual(second!.content, [
    T('I call.'),
    { toolUse: { toolUseId: 'a', name: 'f', input: { n: 1 } } },
    { toolUse: { toolUseId: 'b', name: 'f', input: {} } },
  ])
  assert.deepEqual(third!.content, [
    { toolResult: { toolUseId: 'b', content: [T('two')] } },
    { toolResult: { toolUseId: 'a', content: [T('one')] } },
    { toolResult: { toolUseId: 'a', content: [T('again')] } },
    T('and?'),
  ])
})

test('arguments that are no object are kept as text', () => {
  const inputs = ['{"a":', '[1]', '"x"', '12345678901234567890', 'true'].map((words) => {
    const encoded = encode({
      tools: [tool('f')],
      turns: turns(['assistant', call('a', 'f', words)], ['user', result('a', 'r')]),
    })
    const [first] = encoded.body['messages'] as { content: { toolUse: { input: unknown } }[] }[]
    assert.deepEqual(encoded.losses, ['rewritten /call: the arguments are no JSON object'])
    return first!.content[0]!.toolUse.input
  })
  assert.deepEqual(inputs, [
    { __invalid_json: '{"a":' },
    { __invalid_json: '[1]' },
    { __invalid_json: '"x"' },
    { __invalid_json: '12345678901234567890' },
    { __invalid_json: 'true' },
  ])
  const none = encode({
    tools: [tool('f')],
    turns: turns(['assistant', call('a', 'f', ' null ')], ['user', result('a', 'r')]),
  })
  assert.deepEqual(none.losses, [])
  assert.deepEqual((none.body['messages'] as { content: unknown[] }[])[0]!.content, [
    { toolUse: { toolUseId: 'a', name: 'f', input: {} } },
  ])
})

test('numbers that JavaScript would round are sent as they stood', () => {
  const big = rawNumber('9007199254740993')
  const { sent } = encode({
    tools: [tool('f', { schema: { type: 'object', properties: { n: { maximum: big } } } })],
    sampling: { temperature: big },
    turns: turns(['assistant', call('a', 'f', '{"n":12345678901234567890}')], ['user', result('a', 'r')]),
  })
  assert.match(sent, /"input":\{"n":12345678901234567890\}/)
  assert.match(sent, /"maximum":9007199254740993/)
  assert.match(sent, /"temperature":9007199254740993/)
})

test('results: a JSON value, media beside it, errors, and nothing', () => {
  const given = (some: object): Block =>
    ({
      type: 'tool-result',
      kind: 'function',
      callId: 'a',
      name: 'f',
      content: [],
      isError: null,
      path: '/r',
      ...some,
    }) as Block
  const image: Block = {
    type: 'media',
    kind: 'image',
    source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    path: '/i',
  }
  const [, , message] = messagesOf(
    ['user', 'x'],
    ['assistant', call('a', 'f', '{}')],
    [
      'user',
      given({ value: { ok: 1 }, content: [text('{"ok":1}'), image] }),
      given({ value: [1], content: [text('[1]')], isError: false }),
      given({ content: [text('bad')], isError: true }),
      given({ content: [text('')] }),
    ],
  )
  const png = { image: { format: 'png', source: { bytes: 'AA==' } } }
  assert.deepEqual(message!.content, [
    { toolResult: { toolUseId: 'a', content: [{ json: { ok: 1 } }, png] } },
    { toolResult: { toolUseId: 'a', content: [T('[1]')], status: 'success' } },
    { toolResult: { toolUseId: 'a', content: [T('bad')], status: 'error' } },
    { toolResult: { toolUseId: 'a', content: [] } },
  ])
})

const thought = (seal: Seal | null, words = 'Hm'): ReasoningBlock => ({
  type: 'reasoning',
  text: words,
  seal,
  id: null,
  path: '/r',
})

test('reasoning goes back to its issuer byte for byte, and to nobody else', () => {
  const own = (kind: Seal['kind'], value: string): Seal => ({ issuer: 'bedrock-converse', kind, value })
  const encoded = encode({
    turns: turns(
      ['user', 'x'],
      [
        'assistant',
        thought(own('signature', 'sig==')),
        thought(own('encrypted', 'AAEC'), ''),
        thought(own('signature', 's'), ''),
        thought({ issuer: 'anthropic-messages', kind: 'signature', value: 'other' }),
        thought(null),
        'y',
      ],
      ['user', 'z'],
    ),
  })
  assert.deepEqual((encoded.body['messages'] as unknown[])[1], {
    role: 'assistant',
    content: [
      { reasoningContent: { reasoningText: { text: 'Hm', signature: 'sig==' } } },
      { reasoningContent: { redactedContent: 'AAEC' } },
      { reasoningContent: { reasoningText: { text: '', signature: 's' } } },
      T('y'),
    ],
  })
  assert.deepEqual(encoded.losses, ['dropped /r: foreign_reasoning', 'dropped /r: foreign_reasoning'])
})

test('seals of texts, media and calls, citations, names and foreign members are declared', () => {
  const seal: Seal = { issuer: 'gemini', kind: 'signature', value: 's' }
  const [turn] = turns([
    'assistant',
    { type: 'text', text: 'a', path: '/a', seal, citations: [{ url: 'https://a.example/' }] },
    { ...call('c', 'f', '{}', '/c'), seal } as Block,
    { type: 'refusal', text: 'No.', path: '/b', ext: { 'openai-chat': { odd: 1 } } },
    { type: 'opaque', issuer: 'openai-responses', value: {}, path: '/d' },
    { type: 'opaque', issuer: 'bedrock-converse', value: { guardContent: { text: T('g') } }, path: '/e' },
  ])
  const { body, losses } = encode({
    turns: [
      { ...turn!, name: 'bob', ext: { 'openai-responses': { id: 'msg_1' } } },
      ...turns(['user', result('c', 'r')]),
    ],
    tools: [tool('f')],
    ext: { 'openai-chat': { store: false, 'a/b': 1 } },
  })
  assert.deepEqual((body['messages'] as { content: unknown[] }[])[0]!.content, [
    T('a'),
    { toolUse: { toolUseId: 'c', name: 'f', input: {} } },
    T('No.'),
    { guardContent: { text: T('g') } },
  ])
  assert.deepEqual(losses, [
    'dropped /store: Bedrock knows no such member',
    'dropped /a~1b: Bedrock knows no such member',
    'dropped /messages/0/name: Bedrock has no names of participants',
    'dropped /messages/0/id: Bedrock knows no such member',
    'dropped /a: foreign_reasoning',
    'dropped /a/citations: Bedrock takes no citations of others',
    'dropped /c: foreign_reasoning',
    'dropped /b/odd: Bedrock knows no such member',
    'dropped /d: only openai-responses understands it',
  ])
})

const cached = (words: string, cacheControl: unknown): Block => ({
  type: 'text',
  text: words,
  path: '/c',
  cacheControl,
})

test('breakpoints stand behind what carries them', () => {
  const inner: Block = {
    type: 'tool-result',
    kind: 'function',
    callId: 'a',
    name: null,
    content: [cached('r', { type: 'ephemeral' }), text('s')],
    isError: null,
    path: '/r',
  }
  const point = { cachePoint: { type: 'default' } }
  const { body, losses } = encode({
    tools: [tool('f', { cacheControl: { type: 'ephemeral', ttl: '1h' } }), tool('g')],
    turns: turns(
      ['user', cached('a', { type: 'ephemeral', ttl: '5m' }), 'b'],
      ['assistant', call('a', 'f', '{}')],
      ['user', 'then', inner],
      ['user', cached('', { type: 'ephemeral' })],
    ),
  })
  const [first, , third] = body['messages'] as { content: unknown }[]
  assert.deepEqual(first!.content, [T('a'), point, T('b')])
  assert.deepEqual(third!.content, [{ toolResult: { toolUseId: 'a', content: [T('r'), T('s')] } }, point, T('then')])
  const { tools } = body['toolConfig'] as { tools: unknown[] }
  assert.deepEqual(tools[1], { cachePoint: { type: 'default', ttl: '1h' } })
  assert.equal(tools.length, 3)
  assert.deepEqual(losses, [])
})

test('the breakpoint of a block that says nothing stands behind the one before it', () => {
  const point = { cachePoint: { type: 'default' } }
  const empty = cached('', { type: 'ephemeral' })
  assert.deepEqual(messagesOf(['user', 'a', empty, empty, 'b']), [user(T('a'), point, T('b'))])
  assert.deepEqual(messagesOf(['user', empty, 'b']), [user(T('b'))])
})

test('a breakpoint for all stands at the end, unless there is one', () => {
  const point = { cachePoint: { type: 'default' } }
  const ends = (block: Block | string) =>
    encode({ cacheControl: { type: 'ephemeral' }, turns: turns(['user', block]) }).body['messages']
  assert.deepEqual(ends('a'), [user(T('a'), point)])
  assert.deepEqual(ends(cached('a', { type: 'ephemeral' })), [user(T('a'), point)])
  assert.deepEqual(encode({ cacheControl: { type: 'ephemeral' } }).body, { messages: [] })
})

test('models without a prompt cache get no breakpoints', () => {
  const request = { cacheControl: { type: 'ephemeral' }, turns: turns(['user', cached('a', { type: 'ephemeral' })]) }
  const { body, losses } = encode(request, { model: LLAMA })
  assert.deepEqual(body, { messages: [user(T('a'))] })
  assert.deepEqual(losses, [
    'dropped /c/cache_control: the model has no prompt cache',
    'dropped /cache_control: the model has no prompt cache',
  ])
  for (const model of [CLAUDE, NOVA, 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x1'])
    assert.deepEqual(encode(request, { model }).losses, [], model)
})

test('who asks, and at which tier', () => {
  const { body, losses } = encode({
    serviceTier: 'priority',
    endUser: 'user-7',
    metadata: { team: 'red', 'a/b': '', bad: '{"x":1}', number: 5, 'key"': 'x' },
    paths: { metadata: '/metadata', endUser: '/user', serviceTier: '/service_tier' },
  })
  assert.deepEqual(body['serviceTier'], { type: 'priority' })
  assert.deepEqual(body['requestMetadata'], { team: 'red', 'a/b': '', user_id: 'user-7' })
  const reason = 'Bedrock takes 16 short plain texts as metadata'
  assert.deepEqual(losses, [
    `dropped /metadata/bad: ${reason}`,
    `dropped /metadata/number: ${reason}`,
    `dropped /metadata/key": ${reason}`,
  ])
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v']))
  assert.deepEqual(encode({ metadata: many }).losses, [`dropped /metadata/k16: ${reason}`])
  const taken = encode({ metadata: { user_id: 'theirs' }, endUser: 'ours' })
  assert.deepEqual([taken.body['requestMetadata'], taken.losses], [{ user_id: 'theirs' }, [`dropped /user: ${reason}`]])
})

test('tiers by the words of all clients', () => {
  const tier = (serviceTier: string) => {
    const { body, losses } = encode({ serviceTier })
    return [body['serviceTier'], ...losses]
  }
  assert.deepEqual(tier('auto'), [undefined])
  assert.deepEqual(tier('default'), [{ type: 'default' }])
  assert.deepEqual(tier('standard_only'), [{ type: 'default' }])
  assert.deepEqual(tier('flex'), [{ type: 'flex' }])
  assert.deepEqual(tier('scale'), [undefined, 'dropped /service_tier: Bedrock has no such tier'])
})

test('what Bedrock cannot do is declared at the place where the client said it', () => {
  const paths = {
    candidates: '/n',
    logprobs: '/logprobs',
    verbosity: '/text/verbosity',
    promptCacheKey: '/prompt_cache_key',
  }
  const { body, losses } = encode({
    candidates: 2,
    logprobs: { enabled: true, top: 3 },
    verbosity: 'low',
    promptCacheKey: '',
    parallelToolCalls: false,
    paths,
  })
  assert.deepEqual(body, { messages: [] })
  assert.deepEqual(losses, [
    'dropped /parallel_tool_calls: Bedrock has no such switch',
    'dropped! /n: Bedrock gives one answer',
    'dropped! /logprobs: Bedrock tells no probabilities',
    'dropped /text/verbosity: Bedrock has no verbosity',
    'dropped /prompt_cache_key: Bedrock has no cache key',
  ])
  const harmless = encode({ candidates: 1, logprobs: { enabled: false, top: null }, parallelToolCalls: true })
  assert.deepEqual(harmless.losses, [])
  assert.deepEqual(encode({ candidates: 0 }).losses, ['dropped! /n: Bedrock gives one answer'])
})

test('which stop sequence was met is asked of Claude alone', () => {
  const asked = (stopSequences: string[] | null, model: string) => encode({ stopSequences }, { model }).body
  assert.deepEqual(asked(['END'], CLAUDE), {
    messages: [],
    inferenceConfig: { stopSequences: ['END'] },
    additionalModelResponseFieldPaths: ['/stop_sequence'],
  })
  assert.deepEqual(asked(['END'], NOVA), { messages: [], inferenceConfig: { stopSequences: ['END'] } })
  assert.deepEqual(asked([], CLAUDE), { messages: [], inferenceConfig: { stopSequences: [] } })
})
