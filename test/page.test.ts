import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { PROVIDER_OPTIONS } from '#config/options.ts'
import { chromiumSkip, launchChromium } from './chromium.ts'
import { Gateway } from './faults/gateway.ts'

/** Everything a page asks for and complains about while it is open. */
interface Watch {
  readonly requests: string[]
  readonly complaints: string[]
}

describe('the first page in a browser', { skip: chromiumSkip }, () => {
  let gateway: Gateway
  let browser: Browser
  let context: BrowserContext

  before(async () => {
    const noKeys = Object.fromEntries(PROVIDER_OPTIONS.map((option) => [option.env, '']))
    gateway = await Gateway.start({ config: {}, env: noKeys })
    // Chromium refuses its sandbox to root, which is what CI runs as; it only visits our own page.
    browser = await launchChromium()
    context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  })

  after(async () => {
    await browser?.close()
    await gateway?.stop()
  })

  test('every copy button copies exactly the text beside it', async () => {
    const { page, watch } = await open()
    const buttons = await page.locator('[data-copy]').all()
    assert.ok(buttons.length >= 4)
    for (const button of buttons) {
      const wanted = await page.locator(`#${await button.getAttribute('data-copy')}`).textContent()
      await button.click()
      // The button says so when the browser has taken the text.
      await page.locator('[data-copy][data-done]', { hasText: 'Copied' }).last().waitFor()
      assert.equal(await page.evaluate('navigator.clipboard.readText()'), wanted)
    }
    assert.equal(await page.locator('#url-openai').textContent(), `${gateway.baseUrl}/v1`)
    assert.equal(await page.locator('#url-anthropic').textContent(), gateway.baseUrl)
    assert.equal(await page.locator('#url-gemini').textContent(), gateway.baseUrl)
    await close(page, watch)
  })

  test('it counts the models of the live catalog', async () => {
    const reply = await fetch(`${gateway.baseUrl}/catalog/models`)
    const { data } = (await reply.json()) as { data: { id: string }[] }
    const { page, watch } = await open()
    await page.locator('#count', { hasText: String(data.length) }).waitFor()
    const offered = await page
      .locator('#model option')
      .evaluateAll((options) => options.map((each) => each.getAttribute('value')))
    assert.deepEqual(offered.sort(), data.map(({ id }) => id).sort())
    await close(page, watch)
  })

  test('the command it shows works once it has a key', async () => {
    const { key } = await gateway.fund('page@example.com', '5.00')
    const { page, watch } = await open()
    for (const protocol of ['openai', 'anthropic', 'gemini']) {
      await page.locator('#model:enabled').selectOption('sim/echo')
      await page.locator(`input[name="protocol"][value="${protocol}"]`).check({ force: true })
      const command = (await page.locator('#command').textContent())!
      const reply = await runCurl(command.replaceAll('$TRIVIUM_API_KEY', key))
      assert.equal(reply.status, 200, `${protocol}: ${await reply.text()}`)
    }
    await close(page, watch)
  })

  test('it can be read and used without a mouse and on a narrow screen', async () => {
    const { page, watch } = await open()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate("document.activeElement.getAttribute('href')"), '#main')
    await page.setViewportSize({ width: 360, height: 740 })
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth')
    assert.ok(overflow <= 0, `${overflow} pixels wider than the screen`)
    await close(page, watch)
  })

  async function open(): Promise<{ page: Page; watch: Watch }> {
    const page = await context.newPage()
    const watch: Watch = { requests: [], complaints: [] }
    page.on('request', (request) => watch.requests.push(request.url()))
    page.on('console', (message) => message.type() === 'error' && watch.complaints.push(message.text()))
    page.on('pageerror', (error) => watch.complaints.push(error.message))
    page.on('response', (reply) => reply.status() >= 400 && watch.complaints.push(`${reply.status()} ${reply.url()}`))
    const reply = await page.goto(gateway.baseUrl, { waitUntil: 'networkidle' })
    assert.match(reply?.headers()['content-security-policy'] ?? '', /default-src 'none'|default-src 'self'/)
    return { page, watch }
  }

  /** A violation of the content security policy is an error on the console. */
  async function close(page: Page, watch: Watch): Promise<void> {
    await page.close()
    assert.deepEqual(watch.complaints, [])
    assert.deepEqual(
      watch.requests.filter((url) => !url.startsWith(`${gateway.baseUrl}/`)),
      [],
    )
  }
})

/** What the shown command would send; reading it here keeps the test free of a shell. */
function runCurl(command: string): Promise<Response> {
  const url = /^curl "?([^\s"\\]+)"?/.exec(command)?.[1]
  const headers = [...command.matchAll(/-H "([^:]+): ([^"]*)"/g)].map(([, name, value]): [string, string] => [
    name!,
    value!,
  ])
  const body = /-d '([\s\S]*)'/.exec(command)?.[1]
  assert.ok(url !== undefined && body !== undefined, command)
  return fetch(url, { method: 'POST', headers, body })
}
