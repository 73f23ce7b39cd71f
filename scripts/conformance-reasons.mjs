// Why the judge counts a miss: the first row whose invariant and pattern fit tells. A pattern sees the judge's detail text,
// which quotes recordings and therefore never gets into the page.

/**
 * `invariants` are the judge's names; `kind` says whose the difference is: a limit of the target, a choice, or the recording's.
 * `upstreams` and `feature` (one of the exchange's, by the judge's index) narrow a row whose pattern alone would say too much.
 */
export const REASONS = [
  {
    invariants: ['accepted'],
    pattern: /cannot be served: the model can be told of the schema only in words/,
    kind: 'limit',
    reason: 'A strict schema that the model can be told of in words only would bind nothing: refused.',
  },
  {
    invariants: ['accepted'],
    pattern: /cannot be loaded from its address/,
    kind: 'recording',
    reason:
      'Media at an address has to be loaded for this target, and the machine of the judge has no network: refused.',
  },
  {
    invariants: ['accepted'],
    pattern: /meets what the request(, its key)? or its group asks of one/,
    kind: 'choice',
    reason: "The request's own `max_price` is below the price of the only backend: refused, as OpenRouter does.",
  },
  {
    invariants: ['finish'],
    pattern: /recorded pause_turn/,
    kind: 'choice',
    reason:
      'A turn that the provider paused is told as a limit that was reached (R87), because nothing else stands for it.',
  },
  {
    invariants: ['accepted'],
    pattern: /cannot be served: (?:the (?:Messages|Responses) API|Bedrock) gives one answer/,
    kind: 'limit',
    reason: 'Several answers were asked for and the target gives one: refused, because one answer is another meaning.',
  },
  {
    invariants: ['accepted'],
    pattern: /cannot be served: (?:the Messages API|Bedrock) tells no probabilities/,
    kind: 'limit',
    reason: 'Token probabilities were asked for and the target has none: refused.',
  },
  {
    invariants: ['accepted'],
    pattern: /needs an upstream that keeps state of its own/,
    kind: 'limit',
    reason:
      'A background response needs an upstream that runs on by itself: refused where the Responses API is translated.',
  },
  {
    invariants: ['accepted'],
    pattern:
      /cannot be served: (?:only its issuer holds the file|foreign_file|the file is held by|a file of \w+ means nothing)/,
    kind: 'limit',
    reason: 'The request names a file that only its issuer holds: refused, because another provider cannot read it.',
  },
  {
    invariants: ['accepted'],
    pattern:
      /cannot be served: (?:Bedrock takes no (?:remote )?(?:image|document|audio|video)|documents are taken as data only)/,
    kind: 'limit',
    reason: 'The target has no place for media of this sort or by address: refused.',
  },
  {
    invariants: ['accepted'],
    pattern:
      /cannot be served: (?:the Messages API takes no (?:documents of type|audio|video)|(?:audio|video)_input|audio is taken as data only)/,
    kind: 'limit',
    reason: 'The target reads no media of this type: refused.',
  },
  {
    invariants: ['accepted'],
    pattern: /cannot be served: the model cannot be forced to call a tool while it thinks/,
    kind: 'limit',
    reason:
      'A forced call beside reasoning: Claude on Bedrock refuses the two together, and the gateway refuses to choose.',
  },
  {
    invariants: ['accepted'],
    pattern:
      /cannot be served: (?:.* is a tool that .* runs|the upstream cannot run the tool|Bedrock has no tool|server_tool:|only \S+ runs this tool)/,
    kind: 'limit',
    reason: 'The only tools are ones that another provider runs: refused.',
  },
  {
    invariants: ['format'],
    pattern: /sent \{"kind":"json"\}, upstream got null/,
    kind: 'limit',
    reason: 'Gemini before 3 refuses a JSON format beside functions: the format is dropped with a warning.',
  },
  {
    invariants: ['system'],
    // The quoted text may end before the words that were added: its start has to be the client's.
    pattern: /^system: sent (.{30}).*, upstream got \1/s,
    upstreams: ['bedrock-converse'],
    feature: 'structured_output',
    kind: 'choice',
    reason:
      'The model cannot be bound to a format natively, nor by a forced function beside its tools: words in the system prompt stand for it, with a warning.',
  },
  {
    invariants: ['messages'],
    pattern: /upstream got \["user","\."\]/,
    kind: 'choice',
    reason: 'Converse demands a text beside a document: a full stop is added, with a warning.',
  },
  {
    invariants: ['messages'],
    pattern: /^messages: sent \["user",".*"\], upstream got \["user",".*/s,
    upstreams: ['openai-chat'],
    feature: 'document_in',
    kind: 'choice',
    reason:
      'Chat completions have no plain-text documents: the text of the document is sent as a text part of the user.',
  },
  {
    invariants: ['tools'],
    pattern: /^tools: sent .*, upstream got \d+ tools$/s,
    feature: 'tool_choice_allowed',
    kind: 'choice',
    reason:
      'A list of allowed tools: the target knows none, so that only the allowed tools are declared, with a warning.',
  },
  {
    invariants: ['tool_calls'],
    pattern: /^tool_calls: sent \[\["[^"]+",\{\}\]\], upstream got/,
    kind: 'recording',
    reason: 'Arguments that the client replays in pieces are joined; the judge reads them as none.',
  },
  {
    invariants: ['media'],
    pattern: /"kind":"audio","ref":"e3b0c44298fc1c14"/,
    kind: 'recording',
    reason:
      "Mistral's audio part is the data itself and not an object; the judge reads it as empty, the gateway sends it on.",
  },
  {
    invariants: ['usage'],
    pattern: /^usage \((?:input, )?cache_read\): recorded \{"cacheRead":0,.*, got \{"cacheRead":[1-9]/s,
    kind: 'recording',
    reason:
      "The host tells its cached tokens in a member of its own, which the gateway reads (Mistral's `num_cached_tokens`) and the judge does not.",
  },
  {
    invariants: ['answered', 'text', 'finish'],
    pattern: /The upstream sent an answer without output\./,
    kind: 'recording',
    reason:
      'The recording answers the Responses API with a chat completion: that is no response, and the gateway answers 502.',
  },
  {
    invariants: ['text'],
    pattern: /^text: recorded ".*, got "/s,
    upstreams: ['openai-responses'],
    feature: 'client_builtin_tool',
    kind: 'recording',
    reason:
      'The deltas of the stream and the event that ends its text tell different texts: what was streamed first is the answer.',
  },
  {
    invariants: ['no_false_success'],
    pattern: /^a failed answer looks like success: finish \S+, text/,
    upstreams: ['openai-chat'],
    kind: 'recording',
    reason:
      'The recorded stream ends with `[DONE]` and tells no finish reason at all: `[DONE]` counts as a complete end.',
  },
  {
    invariants: ['tools', 'finish'],
    pattern: /^tools: \d+ calls recorded, got \d+$|^finish: recorded {2}with tool calls, got/,
    upstreams: ['openai-chat'],
    feature: 'empty_tool_args',
    kind: 'recording',
    reason:
      'The recording has an empty `function_call` without a name beside its text, which the judge counts as a call.',
  },
]
