import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startTestbed, type Testbed } from './testbed.ts'

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']

/** The system's own browser, or undefined where there is none. */
const browserPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => BROWSERS.map((name) => join(folder, name)))
  .find((path) => existsSync(path))

interface Message {
  readonly id?: number
  readonly method?: string
  readonly result?: {
    readonly result?: { readonly value?: unknown }
    readonly targetId?: string
    readonly sessionId?: string
  }
  readonly error?: { readonly message: string }
  readonly params?: unknown
}

/** Speaks the DevTools protocol: enough to open one page and evaluate in it. */
class Browser {
  readonly complaints: unknown[] = []
  private readonly child: ChildProcess
  private readonly socket: WebSocket
  private readonly waiting = new Map<number, (message: Message) => void>()
  private lastId = 0
  private sessionId: string | undefined

  private constructor(child: ChildProcess, socket: WebSocket) {
    this.child = child
    this.socket = socket
    socket.addEventListener('message', ({ data }) => this.take(JSON.parse(String(data)) as Message))
  }

  static async start(profile: string): Promise<Browser> {
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0']
    const child = spawn(browserPath!, [...flags, `--user-data-dir=${profile}`], { stdio: ['ignore', 'ignore', 'pipe'] })
    const url = await new Promise<string>((resolve, reject) => {
      let text = ''
      child.stderr!.on('data', (chunk) => {
        text += String(chunk)
        const match = /DevTools listening on (\S+)/.exec(text)
        if (match) resolve(match[1]!)
      })
      child.on('close', () => reject(new Error(text)))
    })
    const socket = new WebSocket(url)
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    return new Browser(child, socket)
  }

  async open(url: string, width: number): Promise<void> {
    const { targetId } = (await this.send('Target.createTarget', { url: 'about:blank' })).result!
    const { sessionId } = (await this.send('Target.attachToTarget', { targetId, flatten: true })).result!
    this.sessionId = sessionId
    for (const domain of ['Page', 'Runtime', 'Log']) await this.send(`${domain}.enable`)
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: true }
    await this.send('Emulation.setDeviceMetricsOverride', size)
    await this.send('Browser.grantPermissions', { permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite'] })
    await this.send('Page.navigate', { url })
  }

  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true }
    const { result } = await this.send('Runtime.evaluate', options)
    return result!.result!.value
  }

  /** Resolves once the page itself says that the expression holds; no polling from here. */
  async until(expression: string): Promise<void> {
    await this.evaluate(`new Promise((resolve) => {
      const look = () => ((${expression}) ? resolve() : requestAnimationFrame(look))
      document.readyState === 'complete' ? look() : addEventListener('load', look)
    })`)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.child.on('close', resolve))
    this.socket.close()
    this.child.kill('SIGTERM')
    await closed
  }

  private send(method: string, params: object = {}): Promise<Message> {
    const id = ++this.lastId
    this.socket.send(JSON.stringify({ id, method, params, ...(this.sessionId ? { sessionId: this.sessionId } : {}) }))
    return new Promise((resolve, reject) =>
      this.waiting.set(id, (message) => (message.error ? reject(new Error(message.error.message)) : resolve(message))),
    )
  }

  private take(message: Message): void {
    if (message.id !== undefined) {
      this.waiting.get(message.id)?.(message)
      this.waiting.delete(message.id)
    } else if (message.method === 'Log.entryAdded' || message.method === 'Runtime.exceptionThrown') {
      this.complaints.push(message.params)
    }
  }
}

describe('the first page in a browser', { skip: browserPath === undefined && 'no browser on this machine' }, () => {
  let bed: Testbed
  let browser: Browser
  let profile: string
  let root: string
  before(async () => {
    bed = await startTestbed()
    root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    profile = await mkdtemp(join(tmpdir(), 'trivium-browser-'))
    browser = await Browser.start(profile)
    await browser.open(root, 375)
    await browser.until(`location.href !== 'about:blank' && !document.querySelector('#model')?.disabled`)
  })
  after(async () => {
    await browser.close()
    await bed.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  })

  test('shows the live count and that the gateway is reachable', async () => {
    const { data } = (await bed.ask('GET', '/catalog/models')).json
    assert.equal(await browser.evaluate(`document.querySelector('#count').textContent`), String(data.length))
    assert.equal(await browser.evaluate(`document.querySelector('#state').textContent`), 'reachable')
    assert.equal(await browser.evaluate(`document.querySelectorAll('#model option').length`), data.length)
  })

  test('fits 375 pixels and breaks none of its own rules', async () => {
    assert.ok(Number(await browser.evaluate('document.documentElement.scrollWidth')) <= 375)
    assert.deepEqual(browser.complaints, [])
  })

  test('the copy buttons put base URLs and the command on the clipboard', async () => {
    const copied = (id: string) =>
      browser.evaluate(`(async () => {
        const button = document.querySelector('[data-copy="${id}"]')
        button.click()
        while (!('done' in button.dataset)) await new Promise(requestAnimationFrame)
        return navigator.clipboard.readText()
      })()`)
    assert.equal(await copied('url-openai'), `${root}/v1`)
    assert.equal(await copied('url-anthropic'), root)
    assert.equal(await copied('url-gemini'), root)
    assert.match(String(await copied('command')), /^curl .*\$TRIVIUM_API_KEY/s)
  })

  test('the command follows the model and its best protocol', async () => {
    const choose = (id: string) =>
      browser.evaluate(`(() => {
        const model = document.querySelector('#model')
        model.value = ${JSON.stringify(id)}
        model.dispatchEvent(new Event('change'))
        return document.querySelector('#command').textContent
      })()`)
    const { data } = (await bed.ask('GET', '/catalog/models')).json as {
      data: { id: string; recommended_protocol: string; output_modalities: string[] }[]
    }
    const best = (protocol: string) => data.find((one) => one.recommended_protocol === protocol)!.id
    assert.match(String(await choose(best('anthropic'))), /\/v1\/messages .*anthropic-version/s)
    assert.match(String(await choose(best('gemini'))), /\/v1beta\/models\/.*:generateContent/s)
    const embedding = data.find((one) => !one.output_modalities.includes('text'))
    if (embedding) assert.match(String(await choose(embedding.id)), /\/v1\/embeddings/)
  })
})
