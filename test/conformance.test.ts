import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ROOT } from './tidy/tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'trivium-conformance-'))
after(() => rmSync(folder, { recursive: true }))

/** As the judge writes them; the words are ours. */
interface Miss {
  readonly id: string
  readonly client: string
  readonly upstream: string
  readonly invariant: string
  readonly detail: string
}

const TWO_ANSWERS: Miss = {
  id: 'chat.two-answers',
  client: 'chat',
  upstream: 'anthropic-messages',
  invariant: 'accepted',
  detail: 'refused: n cannot be served: the Messages API gives one answer.',
}
const STRANGE: Miss = {
  id: 'gemini.strange',
  client: 'messages',
  upstream: 'gemini',
  invariant: 'text',
  detail: 'text: recorded "a private word", got "another"',
}

function reportOf(misses: readonly Miss[]): unknown {
  return {
    exchanges: 3,
    calls: 9,
    checks: { pass: 1999, fail: misses.length },
    clean: { pass: 3 - misses.length, of: 3 },
    cells: [
      {
        part: 'answers',
        client: 'chat',
        upstream: 'gemini',
        exchanges: 3,
        clean: 2,
        inv: { text: { pass: 1999, fail: 1, na: 7 }, usage: { pass: 1, fail: 0, na: 0 } },
      },
      {
        part: 'requests',
        client: 'gemini',
        upstream: 'gemini',
        exchanges: 3,
        clean: 3,
        inv: { text: { pass: 3, fail: 0 } },
      },
    ],
    failures: misses.map(({ id, client, upstream, invariant, detail }) => ({
      part: 'requests',
      id,
      client,
      upstream,
      features: [],
      reasons: [{ invariant, detail }],
    })),
  }
}

interface Written {
  readonly status: number | null
  readonly page: string
  readonly complaint: string
}

function write(runs: Readonly<Record<string, readonly Miss[]>>): Written {
  const files = Object.entries(runs).map(([name, misses]) => {
    const file = join(folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(reportOf(misses)))
    return `${name}=${file}`
  })
  const output = join(folder, 'page.md')
  const script = join(ROOT, 'scripts', 'conformance.mjs')
  const { status, stderr } = spawnSync(process.execPath, [script, ...files, '--output', output], { encoding: 'utf8' })
  return { status, page: readFileSync(output, 'utf8'), complaint: stderr }
}

/** The cells of the row of a table that starts with these. */
function rowOf(page: string, ...starts: readonly string[]): readonly string[] {
  const rows = page.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  return rows.find((cells) => starts.every((start, at) => cells[at] === start)) ?? []
}

describe('the page of conformance', () => {
  test('a cell tells checks and exchanges, rounded down, and is empty where nothing was measured', () => {
    const { status, page } = write({ default: [] })
    assert.equal(status, 0)
    assert.deepEqual(rowOf(page, 'gemini'), ['gemini', '99.9 / 66.6', '–', '–', '–'])
    assert.deepEqual(rowOf(page, 'default'), ['default', '3', '9', '100', '0', '100'])
    assert.match(page, /Every miss has a reason/)
  })

  test('a miss is told with its reason, its pair and its exchange, and without the words of the recording', () => {
    const { status, page } = write({ default: [TWO_ANSWERS] })
    assert.equal(status, 0)
    assert.match(page, /### Limits of the target\n\nSeveral answers were asked for/)
    assert.deepEqual(rowOf(page, 'requests'), ['requests', 'chat → anthropic-messages', 'accepted', '1'])
    assert.match(page, /- `chat\.two-answers`/)
    assert.doesNotMatch(page, /cannot be served/)
  })

  test('a miss without a reason is loud, and still tells no words', () => {
    const { status, page, complaint } = write({ default: [STRANGE] })
    assert.equal(status, 1)
    assert.match(page, /### UNEXPLAINED\n\n\*\*1 miss has no reason/)
    assert.match(page, /- `gemini\.strange`/)
    assert.doesNotMatch(page, /private word/)
    assert.match(complaint, /UNEXPLAINED/)
  })

  test('several runs have their totals, and a miss names those that have it', () => {
    const { page } = write({ default: [TWO_ANSWERS], bytes: [TWO_ANSWERS, STRANGE] })
    assert.deepEqual(rowOf(page, 'bytes'), ['bytes', '3', '9', '99.90', '2', '33.33'])
    assert.deepEqual(rowOf(page, 'requests', 'chat → anthropic-messages').slice(3), ['1', 'all'])
    assert.deepEqual(rowOf(page, 'requests', 'messages → gemini').slice(3), ['1', 'bytes'])
  })

  test('the same measurement is the same page, whatever the order of its failures', () => {
    const other = { ...TWO_ANSWERS, id: 'chat.another' }
    assert.equal(write({ default: [TWO_ANSWERS, other] }).page, write({ default: [other, TWO_ANSWERS] }).page)
  })
})
