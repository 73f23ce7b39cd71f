import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AddressRules } from '#base/addresses.ts'
import { inspectUrl, URL_CHARACTERS_MAX } from './inspect-url.ts'

const CLOSED = new AddressRules([])
const refusalOf = (text: string, rules = CLOSED): string | null => {
  const inspected = inspectUrl(text, rules)
  return 'refusal' in inspected ? inspected.refusal : null
}

/** Spellings of what must not be reached (attack S1). */
const REFUSED = [
  'http://127.0.0.1/',
  'http://127.0.0.1./',
  'http://127.1/',
  'http://127.0.1/',
  'http://0/',
  'http://0.0.0.0:8080/',
  'http://2130706433/',
  'http://4294967295/',
  'http://017700000001/',
  'http://0177.0.0.1/',
  'http://0177.1/',
  'http://0x7f.1/',
  'http://0x7f000001/',
  'http://0x7F.0x0.0x0.0x1/',
  'http://127.0.0.1%2e/',
  'http://%31%32%37.0.0.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://127．0．0．1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://169.254.169.254:80/',
  'http://2852039166/',
  'http://0xA9FEA9FE/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'https://10.0.0.1/a.png',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://100.100.100.200/latest/meta-data/',
  'https://168.63.129.16/metadata',
  'http://255.255.255.255/',
  'http://224.0.0.1/',
  'http://[::1]/',
  'http://[::]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
  'http://[64:ff9b::169.254.169.254]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:a9fe:a9fe::1]/',
  'http://[fd00:ec2::254]/latest/',
  'http://[fe80::1]/',
  'http://[fe80::1%25eth0]/',
  'http://[ff02::1]/',
  'http://localhost/',
  'http://LOCALHOST/',
  'http://localhost./',
  'http://a.localhost/',
  'http://ｌｏｃａｌｈｏｓｔ/',
  'http://metadata/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata.google.internal./',
  'http://printer.local/',
  'http://router.lan/',
  'http://nas.home.arpa/',
  'http://redis:6379/',
  'http://user@example.com/',
  'http://user:secret@example.com/',
  'http://@example.com/',
  'http://example.com@169.254.169.254/',
  'http://example.com:80@169.254.169.254/',
  'http://169.254.169.254\\@example.com/',
  'http://example.com\\@169.254.169.254/',
  'http://example.com\\.169.254.169.254/',
  'http://exa mple.com/',
  'http://example.com\t/',
  'http://169.254\n.169.254/',
  'http://example.com/a\r\nhost: b',
  ' http://169.254.169.254/',
  'http:/169.254.169.254/',
  'http:169.254.169.254',
  'http:///169.254.169.254/',
  'http://example.com:22/',
  'http://example.com:25/',
  'http://example.com:99999/',
  'http://[::1/',
  'http://',
  'ftp://example.com/a.png',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_INFO',
  'data:image/png;base64,AAAA',
  'javascript:alert(1)',
  '//example.com/a.png',
  'example.com/a.png',
  '',
]

const TAKEN: readonly (readonly [text: string, href: string])[] = [
  ['https://example.com/a.png', 'https://example.com/a.png'],
  ['http://example.com/a.png', 'http://example.com/a.png'],
  ['HTTPS://EXAMPLE.COM/A.png', 'https://example.com/A.png'],
  ['https://example.com./a.png', 'https://example.com./a.png'],
  ['https://example.com:8443/a.png?x=1&y=@2', 'https://example.com:8443/a.png?x=1&y=@2'],
  ['https://example.com/my file.png', 'https://example.com/my%20file.png'],
  ['https://bücher.example/ä', 'https://xn--bcher-kva.example/%C3%A4'],
  ['https://1.1.1.1/a.png', 'https://1.1.1.1/a.png'],
  ['https://[2606:4700::1111]/a.png', 'https://[2606:4700::1111]/a.png'],
  ['https://local.example.com/', 'https://local.example.com/'],
]

describe('addresses by their text (R122, attack S1)', () => {
  test('there are enough spellings in the table', () => assert.ok(REFUSED.length >= 60))

  for (const text of REFUSED) {
    test(`${JSON.stringify(text)} is refused`, () => {
      const refusal = refusalOf(text)
      assert.match(refusal ?? '', /^(?:its (?:host|port) is not allowed|it is not a valid|an address must not)/)
    })
  }

  for (const [text, href] of TAKEN) {
    test(`${text} is taken`, () => {
      const inspected = inspectUrl(text, CLOSED)
      assert.equal('url' in inspected && inspected.url.href, href)
    })
  }

  test('what the operator opened is taken, and names with it', () => {
    const opened = new AddressRules(['127.0.0.0/8', '10.0.0.0/8'])
    for (const text of ['http://127.0.0.1:9000/', 'http://0x7f.1/', 'http://localhost:8080/', 'http://files.internal/'])
      assert.equal(refusalOf(text, opened), null, text)
    for (const text of ['http://169.254.169.254/', 'http://192.168.0.1/', 'http://[::1]/'])
      assert.notEqual(refusalOf(text, opened), null, text)
    assert.notEqual(refusalOf('http://localhost/', new AddressRules(['10.0.0.0/8'])), null)
  })

  test(`an address of ${URL_CHARACTERS_MAX} characters is the longest`, () => {
    const start = 'https://example.com/'
    const longest = start + 'a'.repeat(URL_CHARACTERS_MAX - start.length)
    assert.equal(refusalOf(longest), null)
    assert.match(refusalOf(`${longest}a`)!, /characters/)
  })
})
