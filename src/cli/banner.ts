import { pairs } from './output.ts'

/** What the banner tells of a running gateway. */
export interface Running {
  /** Where it listens. */
  readonly url: string
  /** Where only the Anthropic protocol is served. */
  readonly anthropicUrl?: string | null
  /** What clients are told to use: GATEWAY_URL, else the listen address. */
  readonly gatewayUrl: string
  readonly masterKey: { readonly value: string; readonly fresh: boolean }
  /** Plaintext of the first API key when this start created it. */
  readonly firstKey: string | null
  readonly providersFound: readonly string[]
  readonly modelCount: number
  readonly simulator: boolean
  readonly dataDir: string
}

/**
 * The text after the start: where to point clients, and one command to paste. Secrets appear only when this start made
 * them, because it is the only time anybody can see them.
 */
export function banner(
  gateway: Running,
  { version, exampleModel }: { version: string; exampleModel: string | null },
): string {
  const root = gateway.gatewayUrl
  const facts: [string, string][] = [
    ['Page', `${gateway.url}/`],
    ['OpenAI', `${root}/v1`],
    ['Anthropic', gateway.anthropicUrl == null ? root : `${root} or ${gateway.anthropicUrl}`],
    ['Gemini', root],
    ['Models', `${gateway.modelCount} ${sourceText(gateway)}`],
    ['Data', gateway.dataDir],
  ]
  if (gateway.masterKey.fresh) facts.push(['Master key', `${gateway.masterKey.value}  (new; kept in the data folder)`])
  if (gateway.firstKey !== null) facts.push(['API key', `${gateway.firstKey}  (new; shown only now)`])
  const listing = pairs(facts)
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
  return `\nTrivium ${version}\n\n${listing}\n\n${exampleText(gateway, exampleModel)}`
}

function sourceText({ simulator, providersFound }: Running): string {
  if (providersFound.length > 0) return `from ${providersFound.join(', ')}`
  return simulator ? 'of the built-in simulator (no provider key found)' : '(no provider key found)'
}

function exampleText(gateway: Running, model: string | null): string {
  if (model === null) return `No model can be called yet: 'trivium doctor' says why.\n`
  const key = gateway.firstKey ?? '$TRIVIUM_API_KEY'
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] })
  const lines = [
    `  curl ${gateway.gatewayUrl}/v1/chat/completions`,
    `    -H "Authorization: Bearer ${key}"`,
    '    -H "Content-Type: application/json"',
    `    -d '${body.replaceAll("'", String.raw`'\''`)}'`,
  ]
  return `Try it:\n\n${lines.join(' \\\n')}\n`
}
