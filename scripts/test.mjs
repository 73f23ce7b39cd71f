// Runs the tests with the pinned Node.js: `npm test`, or `npm test -- src/ledger test/tidy.test.ts --test-name-pattern=hold`.
// Arguments are flags of `node --test`, test files, or folders of test files; without a path all tests run.
// Plain JavaScript for the machine's own Node.js (20 or later).
//   TRIVIUM_FAULTS=full         longer fault tests; TRIVIUM_KILLS, TRIVIUM_SEED: how many kills, and which
//   TRIVIUM_TEST_CHROMIUM       the browser for the page test; default: the system's Chromium
//   TRIVIUM_UPDATE_DOCUMENTS=1  writes the generated tables of the documents
//   CI=true                     a skipped test is a failure
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TEST_TIMEOUT_MS = process.env.TRIVIUM_FAULTS === 'full' ? 2_700_000 : 300_000
/**
 * Most files of `src` need a fraction of a second, and starting their process takes longer than that; those of `test/e2e` mostly
 * wait for sockets and timers, those of `test/laws` only compute: as many at a time as there are cores. The others load gateways and
 * measure, and run alone.
 */
const TOGETHER = [`--test-concurrency=${availableParallelism()}`]
const ALL = [
  { patterns: ['src/**/*.test.ts', 'test/{e2e,laws}/**/*.test.ts'], flags: TOGETHER },
  { patterns: ['test/*.test.ts', 'test/!(e2e|laws)/**/*.test.ts'], flags: ['--test-concurrency=1'] },
]
const NODE_MAJOR_MIN = 24
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** Of a run that a signal ended. */
const STOPPED = 130

const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
/** Where bin/trivium keeps what was compiled: each test file is a process of its own, and would read the same modules again. */
const COMPILED = join(folder, 'node_modules', '.cache', 'trivium')

function chooseNode() {
  const pinned = join(folder, 'node_modules', '.bin', 'node')
  if (existsSync(pinned)) return pinned
  return Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN ? process.execPath : undefined
}

/** Folders become patterns; everything that is no flag is a path. */
function chooseParts(paths) {
  if (paths.length === 0) return ALL
  const patterns = paths.map((path) =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory()
      ? `${path.replace(/\/$/, '')}/**/*.test.ts`
      : path,
  )
  return [{ patterns, flags: [] }]
}

function run(node, flags, patterns, figuresFile) {
  const reporter = join(folder, 'scripts', 'reporter.mjs')
  const options = [
    '--test',
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
  ]
  const child = spawn(node, [...options, ...flags, ...patterns], {
    cwd: folder,
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, TRIVIUM_TEST_FIGURES: figuresFile },
  })
  let isStopped = false
  const stop = (signal) => {
    isStopped = true
    child.kill(signal)
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      for (const signal of SIGNALS) process.off(signal, stop)
      resolve(isStopped ? STOPPED : (code ?? 1))
    })
  })
}

/** One part after the other, also behind one that failed. Of several, the sums of their figures are told at the end. */
async function runAll(node, parts, ownFlags, figuresFile) {
  let failed = 0
  for (const { patterns, flags } of parts) {
    const code = await run(node, [...flags, ...ownFlags], patterns, figuresFile)
    failed ||= code
    if (code === STOPPED) return code
  }
  if (parts.length > 1 && existsSync(figuresFile)) tellSums(readFileSync(figuresFile, 'utf8').trim().split('\n'))
  return failed
}

function tellSums(lines) {
  const sums = {}
  for (const line of lines)
    for (const [name, value] of Object.entries(JSON.parse(line))) sums[name] = (sums[name] ?? 0) + value
  console.log('\nof all parts')
  for (const [name, value] of Object.entries(sums)) console.log(`# ${name} ${value}`)
}

const given = process.argv.slice(2)
const node = chooseNode()
if (node === undefined) {
  console.error('trivium: the pinned Node.js is not installed; run npm install (or use Node.js 24 or later)')
  process.exitCode = 1
} else {
  const isFlag = (each) => each.startsWith('-')
  const parts = chooseParts(given.filter((each) => !isFlag(each)))
  const temporary = mkdtempSync(join(tmpdir(), 'trivium-figures-'))
  try {
    process.exitCode = await runAll(node, parts, given.filter(isFlag), join(temporary, 'figures'))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
