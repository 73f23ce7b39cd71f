// What is still to be installed; see install.mjs.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The names of packages that the lock file asks for and that are not installed. npm writes the state of a finished
 * installation into node_modules/.package-lock.json, so `npm ci` by hand counts as well as our own installation, and an
 * interrupted one does not.
 */
export function findMissing(folder, production) {
  const wanted = readPackages(join(folder, 'package-lock.json')) ?? {}
  const installed = readPackages(join(folder, 'node_modules', '.package-lock.json'))
  return Object.entries(wanted)
    .filter(([path, entry]) => path !== '' && isNeeded(path, entry, wanted, production))
    .filter(([path, entry]) => installed?.[path]?.version !== entry.version || !existsSync(join(folder, path)))
    .map(([path]) => path)
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    // No file or half a file: nothing is known to be installed.
    return undefined
  }
}

function isNeeded(path, entry, wanted, production) {
  if (production && (entry.dev || entry.devOptional)) return false
  if (entry.peer && entry.optional) return false
  if (!entry.optional) return true
  // Of the optional packages only our own count, the pinned Node.js of this platform; npm picks the binaries of linters.
  const name = path.slice('node_modules/'.length)
  return (
    name in (wanted[''].optionalDependencies ?? {}) && fits(entry.os, process.platform) && fits(entry.cpu, process.arch)
  )
}

function fits(allowed, actual) {
  return allowed === undefined || allowed.includes(actual)
}
