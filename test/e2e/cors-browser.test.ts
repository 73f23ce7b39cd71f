import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { chromiumSkip, launchChromium } from '#test/chromium.ts'
import { MODELS, startTestGateway } from './gateway.ts'

/** R20 in a real browser: the last word on what its pages may do. */

interface Outcome {
  readonly status?: number
  readonly text?: string
  readonly id?: string | null
  readonly cost?: string | null
  readonly failure?: string
}

test(
  'R20: a page of a named origin calls with its key and sees id, cost and errors; one of another origin sees nothing',
  { skip: chromiumSkip },
  async () => {
    const site = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>')
    })
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
    const { port } = site.address() as AddressInfo
    const [named, stranger] = [`http://127.0.0.1:${port}`, `http://localhost:${port}`]
    await using gateway = await startTestGateway({ config: { cors: { allowed_origins: [named] } } })
    // Chromium refuses its sandbox to root, which is what CI runs as; it only visits our own pages.
    const browser = await launchChromium()
    try {
      const outcomeAt = async (origin: string, path: string, headers: object, body: object): Promise<Outcome> => {
        const page = await browser.newPage()
        await page.goto(origin)
        const script = `fetch(${JSON.stringify(gateway.url + path)}, {
        method: 'POST',
        headers: ${JSON.stringify({ 'content-type': 'application/json', ...headers })},
        body: ${JSON.stringify(JSON.stringify(body))},
      }).then(
        async (answer) => ({
          status: answer.status,
          text: await answer.text(),
          id: answer.headers.get('x-request-id'),
          cost: answer.headers.get('x-gateway-cost'),
        }),
        (error) => ({ failure: error.name }),
      )`
        const outcome = (await page.evaluate(script)) as Outcome
        await page.close()
        return outcome
      }
      const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
      const openai = {
        authorization: `Bearer ${gateway.key}`,
        'x-stainless-lang': 'js',
        'x-stainless-retry-count': '0',
      }
      const anthropic = {
        'x-api-key': gateway.key,
        'anthropic-version': '2023-06-01',
        'anthropic-dangerous-direct-browser-access': 'true',
      }
      const whole = await outcomeAt(named, '/v1/chat/completions', openai, chat)
      assert.equal(whole.status, 200, JSON.stringify(whole))
      assert.match(whole.id!, /^req_/)
      assert.ok(Number(whole.cost) > 0)
      const stream = await outcomeAt(named, '/v1/chat/completions', openai, { ...chat, stream: true })
      assert.ok(stream.text!.includes('[DONE]'))
      const messages = { model: MODELS.messages.id, max_tokens: 9, messages: chat.messages }
      assert.equal((await outcomeAt(named, '/v1/messages', anthropic, messages)).status, 200)
      const wrong = await outcomeAt(named, '/v1/messages', { ...anthropic, 'x-api-key': 'nonsense' }, messages)
      assert.equal(wrong.status, 401)
      assert.match(wrong.text!, /authentication_error/)
      const before = gateway.upstream.count()
      assert.deepEqual(await outcomeAt(stranger, '/v1/chat/completions', openai, chat), { failure: 'TypeError' })
      assert.equal(gateway.upstream.count(), before, 'its request was never sent')
    } finally {
      await browser.close()
      site.close()
    }
  },
)
