import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  checkBan,
  checkCycles,
  checkDocumentPaths,
  checkImports,
  checkLength,
  checkLock,
  checkNames,
  checkSteps,
} from './tidy/checks.ts'
import { BANS, DOCUMENTS, FILE_LINES_MAX, FUNCTION_LINES_MAX, IMPORTS } from './tidy/rules.ts'
import { listFiles, readSources, ROOT } from './tidy/tree.ts'

const files = readSources(listFiles())
const exists = (path: string): boolean => existsSync(join(ROOT, path))
const planted = (path: string, text: string) => [{ path, text }]
const none = (problems: readonly string[]): void => assert.deepEqual(problems, [])

describe('imports', () => {
  test('only the table of allowed edges', () => none(checkImports(files)))

  test('an edge that is not in the table is found, of code and of types', () => {
    const cross = planted('src/data-plane/x.ts', "import { routes } from '#control-plane/routes.ts'")
    assert.equal(checkImports(cross).length, 1)
    const value = planted('src/providers/x.ts', "import { build } from '#catalog/build.ts'")
    assert.equal(checkImports(value).length, 1)
    none(checkImports(planted('src/providers/x.ts', "import type { Backend } from '#catalog/types.ts'")))
    const lazy = planted('src/base/x.ts', "const { open } = await import('#store/store.ts')")
    assert.equal(checkImports(lazy).length, 1)
  })

  test('a step takes only types from the steps before it', () => none(checkSteps(files)))

  test('a value of an earlier step and a type of a later one are found', () => {
    const earlier = planted('src/data-plane/7-call/x.ts', "import { parse } from '#data-plane/3-parse/parse.ts'")
    const later = planted('src/data-plane/3-parse/x.ts', "import type { Answer } from '#data-plane/7-call/answer.ts'")
    assert.equal(checkSteps(earlier).length, 1)
    assert.equal(checkSteps(later).length, 1)
  })

  test('no file imports itself in a circle', () => none(checkCycles(files.filter(({ path }) => path.endsWith('.ts')))))

  test('a circle is found', () => {
    const circle = [
      { path: 'src/base/a.ts', text: "import { b } from './b.ts'" },
      { path: 'src/base/b.ts', text: "import { a } from '#base/a.ts'" },
    ]
    assert.equal(checkCycles(circle).length, 1)
  })

  test('every folder of src is in the table and in package.json', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { imports: Record<string, string> }
    const folders = new Set(files.flatMap(({ path }) => /^src\/([\w-]+)\//.exec(path)?.[1] ?? []))
    for (const folder of folders) {
      assert.ok(folder in IMPORTS, `src/${folder} is missing in test/tidy/rules.ts`)
      assert.equal(manifest.imports[`#${folder}/*`], `./src/${folder}/*`)
    }
  })

  test('the table of ARCHITECTURE.md is the one of the rules', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
    const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    for (const [folder, edges] of Object.entries(IMPORTS)) {
      const row = rows.find((cells) => cells.length === 6 && cells[1] === `\`${folder}\``)
      assert.ok(row !== undefined, `ARCHITECTURE.md has no row for ${folder}`)
      const [, , values = '', types = ''] = row
      const of = (kind: string) => Object.keys(edges).filter((to) => edges[to] === kind)
      const named = (cell: string) => [...cell.matchAll(/`([\w-]+)`/g)].map((match) => match[1])
      assert.deepEqual(named(values).sort(), of('values').sort(), `values of ${folder}`)
      assert.deepEqual(named(types).sort(), of('types').sort(), `types of ${folder}`)
    }
  })
})

describe('size and names', () => {
  test(`no file is longer than ${FILE_LINES_MAX} lines`, () => none(checkLength(files)))

  test('the bound of a file is exact', () => {
    none(checkLength(planted('src/base/x.ts', 'x\n'.repeat(FILE_LINES_MAX))))
    assert.equal(checkLength(planted('src/base/x.ts', 'x\n'.repeat(FILE_LINES_MAX + 1))).length, 1)
  })

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const config = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as {
      rules: Record<string, [string, { max: number }]>
    }
    assert.equal(config.rules['max-lines-per-function']?.[1].max, FUNCTION_LINES_MAX)
    assert.equal(config.rules['max-lines']?.[1].max, FILE_LINES_MAX)
    const flags = ['--config', '.oxlintrc.json', '--format', 'unix', 'src']
    const run = spawnSync(join(ROOT, 'node_modules', '.bin', 'oxlint'), flags, { cwd: ROOT, encoding: 'utf8' })
    none(run.stdout.split('\n').filter((line) => line.includes('max-lines-per-function')))
  })

  test('no empty names', () => none(checkNames(files)))

  test('an empty name is found in a path and in code', () => {
    assert.equal(checkNames(planted('src/base/string-utils.ts', '')).length, 1)
    assert.equal(checkNames(planted('src/base/x.ts', 'export class RequestManager {}')).length, 1)
  })
})

describe('forbidden texts', () => {
  for (const ban of BANS) {
    test(ban.what, () => none(checkBan(ban, files)))

    test(`${ban.what}: a planted line is found`, () => {
      const places = ['src/base/money.ts', 'src/data-plane/x.ts', 'src/cli/x.ts']
      assert.ok(places.some((path) => checkBan(ban, planted(path, ban.sample)).length === 1))
    })
  }
})

describe('documents', () => {
  const documents = files.filter(({ path }) => DOCUMENTS.test(path))

  test('every path in a document exists', () => {
    none(documents.flatMap((document) => checkDocumentPaths(document, exists)))
  })

  test('a path that does not exist is found', () => {
    const [document] = planted('docs/x.md', 'See `src/nowhere/x.ts` and [that](../nothing.md).')
    assert.equal(checkDocumentPaths(document!, () => false).length, 2)
  })

  test('every invariant of ARCHITECTURE.md names test files that exist', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
    const section = text.split(/^## /m).find((each) => each.startsWith('Invariants')) ?? ''
    const rows = section.split('\n').filter((line) => /^\| \d+ +\|/.test(line))
    assert.equal(rows.length, 10)
    for (const row of rows) {
      const named = [...row.matchAll(/`([^`]+\.test\.ts)`/g)].map((match) => match[1]!)
      assert.ok(named.length > 0, `no test in: ${row}`)
      none(named.filter((path) => !exists(path)))
    }
  })
})

describe('package.json', () => {
  test('npm ci can install the lock file', () => {
    none(checkLock(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))))
  })

  test('a row without integrity and a missing optional package are found', () => {
    assert.equal(checkLock({ packages: { 'node_modules/x': { version: '1.0.0' } } }).length, 1)
    const row = { version: '1.0.0', integrity: 'sha512-x', optionalDependencies: { 'x-darwin': '1.0.0' } }
    assert.equal(checkLock({ packages: { 'node_modules/x': row } }).length, 1)
  })

  test('versions are exact, so that a clone installs what was tested', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      none(
        Object.entries(manifest[kind] ?? {})
          .filter(([, version]) => !/^(npm:@?[\w./-]+@)?\d/.test(version))
          .map(String),
      )
    }
  })
})
