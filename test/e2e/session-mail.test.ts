import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { browserAt, PASSWORD, person } from './browser.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { linkIn, type MailServer, startMailServer } from './mail-server.ts'

let nowMs = Date.now()

describe('R22: with a mail server an address is proved', () => {
  let mails: MailServer
  let gateway: TestGateway
  before(async () => {
    mails = await startMailServer()
    gateway = await startTestGateway({
      now: () => nowMs,
      config: { portal: { smtp_url: mails.url, mail_from: 'Gate <gate@example.com>' } },
    })
  })
  after(async () => {
    await gateway.close()
    await mails[Symbol.asyncDispose]()
  })
  beforeEach(() => void (nowMs += ATTEMPT_WINDOW_MS))

  test('R22: nobody signs in before the link of the mail was opened, and then at once', async () => {
    const ada = browserAt(gateway.url)
    assert.equal((await ada.auth('/sign-up/email', person('ada@example.com'))).status, 200)
    const mail = await mails.next('ada@example.com')
    assert.match(mail, /From: Gate <gate@example.com>/)
    assert.equal((await ada.ask('GET', '/api/session')).status, 401)
    assert.equal((await ada.auth('/sign-in/email', person('ada@example.com'))).status, 403)
    const link = linkIn(mail)
    assert.ok(link.startsWith(`${gateway.url}/api/auth/verify-email?`), link)
    const opened = await ada.ask('GET', link)
    assert.ok(opened.status === 200 || opened.status === 302, opened.text)
    const { user } = (await ada.ask('GET', '/api/session')).json
    assert.equal(user.role, 'admin')
  })

  test('R22: who only claims to be first is no administrator', async () => {
    const bob = browserAt(gateway.url)
    await bob.auth('/sign-up/email', person('bob@example.com'))
    await bob.ask('GET', linkIn(await mails.next('bob@example.com')))
    assert.equal((await bob.ask('GET', '/api/session')).json.user.role, 'user')
  })

  test('R22: whoever proves an address gets the account that the operator made for it', async () => {
    const account = await gateway.admin('POST', '/api/admin/accounts', {
      email: 'known@example.com',
      mode: 'prepaid',
      credit: '7',
    })
    const known = browserAt(gateway.url)
    await known.auth('/sign-up/email', person('known@example.com'))
    await known.ask('GET', linkIn(await mails.next('known@example.com')))
    assert.equal((await known.ask('GET', '/api/session')).json.account.id, account.id)
  })

  test('R22: a forgotten password is set anew once, and ends all sessions', async () => {
    const carol = browserAt(gateway.url)
    await carol.auth('/sign-up/email', person('carol@example.com'))
    await carol.ask('GET', linkIn(await mails.next('carol@example.com')))
    const asked = { email: 'carol@example.com', redirectTo: '/' }
    assert.equal((await browserAt(gateway.url).auth('/request-password-reset', asked)).status, 200)
    const link = linkIn(await mails.next('carol@example.com'))
    const token = /reset-password\/([^?]+)/.exec(link)![1]
    const change = { token, newPassword: 'another good password' }
    assert.equal((await browserAt(gateway.url).auth('/reset-password', change)).status, 200)
    assert.equal((await carol.ask('GET', '/api/session')).status, 401)
    assert.equal((await browserAt(gateway.url).auth('/reset-password', change)).status, 400)
    nowMs += ATTEMPT_WINDOW_MS
    const again = browserAt(gateway.url)
    assert.equal((await again.auth('/sign-in/email', { email: 'carol@example.com', password: PASSWORD })).status, 401)
    const fresh = { email: 'carol@example.com', password: 'another good password' }
    assert.equal((await again.auth('/sign-in/email', fresh)).status, 200)
  })

  test('S24: a link in a mail leads to the gateway, whatever Host a stranger sends', async () => {
    const before = mails.count
    const evil = { host: 'evil.example', origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' }
    const asked = { email: 'carol@example.com', redirectTo: 'https://evil.example/' }
    const refused = await browserAt(gateway.url).ask('POST', '/api/auth/request-password-reset', asked, evil)
    assert.equal(refused.status, 403)
    assert.equal(mails.count, before)
    await browserAt(gateway.url).ask('POST', '/api/auth/request-password-reset', { email: asked.email }, evil)
    assert.ok(linkIn(await mails.next('carol@example.com')).startsWith(gateway.url))
  })

  test('S12: whether an address is known does not show in an answer', async () => {
    const ask = (email: string) => browserAt(gateway.url).auth('/request-password-reset', { email })
    const [known, unknown] = [await ask('carol@example.com'), await ask('nobody@example.com')]
    assert.deepEqual([known.status, known.text], [unknown.status, unknown.text])
    const signIn = (email: string) =>
      browserAt(gateway.url).auth('/sign-in/email', { email, password: 'wrong password' })
    const [wrong, nobody] = [await signIn('carol@example.com'), await signIn('nobody@example.com')]
    assert.deepEqual([wrong.status, wrong.text], [nobody.status, nobody.text])
  })
})
