// Runs the tests with the pinned Node.js: `npm test`, or `npm test -- src/ledger test/tidy.test.ts --test-name-pattern=hold`.
// Arguments are flags of `node --test`, test files, or folders of test files; without a path all tests run.
// Plain JavaScript for the machine's own Node.js (20 or later).
//   TRIVIUM_FAULTS=full         longer fault tests; TRIVIUM_KILLS, TRIVIUM_SEED: how many kills, and which
//   TRIVIUM_TEST_CHROMIUM       the browser for the page test; default: the system's Chromium
//   TRIVIUM_UPDATE_DOCUMENTS=1  writes the generated tables of the documents
//   CI=true                     a skipped test is a failure
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TEST_TIMEOUT_MS = process.env.TRIVIUM_FAULTS === 'full' ? 2_700_000 : 300_000
const ALL = ['src/**/*.test.ts', 'test/**/*.test.ts']
const NODE_MAJOR_MIN = 24

const folder = join(dirname(fileURLToPath(import.meta.url)), '..')

function chooseNode() {
  const pinned = join(folder, 'node_modules', '.bin', 'node')
  if (existsSync(pinned)) return pinned
  return Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN ? process.execPath : undefined
}

/** Folders become patterns; everything that is no flag is a path. */
function choosePatterns(paths) {
  if (paths.length === 0) return ALL
  return paths.map((path) =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory()
      ? `${path.replace(/\/$/, '')}/**/*.test.ts`
      : path,
  )
}

function run(node, flags, patterns) {
  const reporter = join(folder, 'scripts', 'reporter.mjs')
  const options = [
    '--test',
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
  ]
  const child = spawn(node, [...options, ...flags, ...patterns], { cwd: folder, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

const given = process.argv.slice(2)
const node = chooseNode()
if (node === undefined) {
  console.error('trivium: the pinned Node.js is not installed; run npm install (or use Node.js 24 or later)')
  process.exitCode = 1
} else {
  const isFlag = (each) => each.startsWith('-')
  run(node, given.filter(isFlag), choosePatterns(given.filter((each) => !isFlag(each))))
}
