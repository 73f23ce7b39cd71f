// Installs what package-lock.json asks for, and nothing when it is there already: `npm start` and `npm test` both begin here.
// Plain JavaScript without dependencies, for the machine's own Node.js (20 or later): the pinned one may not exist yet.
//   node scripts/install.mjs [--production]     --production leaves development packages out of a first installation
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findMissing } from './missing-packages.mjs'

/** npm's own retries are off: without a network they take minutes. A second run finds in npm's cache what the first one fetched. */
const RUNS_MAX = 2
/** npm's words for "no name server", and for everything else that keeps it from the registry. */
const NO_NETWORK = /ENOTFOUND|EAI_AGAIN|ENETUNREACH|ENOTCACHED/
const UNREACHABLE = /ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EPIPE/

function install(folder, production) {
  // Development packages that somebody installed are kept up to date instead of being removed by a production start.
  const fresh = !existsSync(join(folder, 'node_modules'))
  const scope = production && fresh ? '--omit=dev' : '--include=dev'
  console.error(fresh ? 'Installing dependencies (first time only) ...' : 'Updating dependencies ...')
  // --no-save keeps package.json and its lock file as they are. Unlike `npm ci` this does not first delete what a
  // gateway that is running from the same folder may still load.
  const flags = ['install', '--no-save', '--ignore-scripts', '--include=optional', scope, '--no-audit', '--no-fund']
  flags.push('--loglevel=error', '--no-progress', '--prefer-offline', '--fetch-retries=0')
  for (let run = 1; ; run++) {
    const result = runNpm(flags, folder)
    if (run === RUNS_MAX || result.status === 0 || !UNREACHABLE.test(result.stderr ?? '')) return result
  }
}

function runNpm(flags, folder) {
  // Inside an npm script npm names its own program; else it is found in PATH (a command file on Windows).
  const npm = process.env.npm_execpath
  const inside = npm !== undefined && /\.c?js$/.test(npm) && existsSync(npm)
  const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }
  return inside
    ? spawnSync(process.execPath, [npm, ...flags], options)
    : spawnSync('npm', flags, { ...options, shell: process.platform === 'win32' })
}

function explain(result) {
  const text = `${result.error?.message ?? ''}\n${result.stderr ?? ''}`
  const reason = (NO_NETWORK.exec(text) ?? UNREACHABLE.exec(text))?.[0]
  if (reason !== undefined) {
    return `dependencies are not installed and the npm registry cannot be reached (${reason}); connect to the network and repeat`
  }
  const line = text.split('\n').find((each) => each.trim() !== '' && !/^npm error (code|errno|syscall)/.test(each))
  return `dependencies could not be installed: ${(line ?? `npm ended with ${result.status}`).trim()}`
}

function main() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
  const production = process.argv.includes('--production')
  if (findMissing(folder, production).length === 0) return
  const result = install(folder, production)
  const missing = findMissing(folder, production)
  if (missing.length === 0) return
  const reason = result.status === 0 ? `npm did not install ${missing.join(', ')}` : explain(result)
  console.error(`trivium: ${reason}`)
  process.exitCode = 1
}

main()
