import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes the data folder with its parents and checks that it can be written. Throws node's own error, with the path. Node's
 * recursive mkdir is not used: on file systems that refuse new folders with ENOENT (/proc) it never returns.
 */
export function ensureDataFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    const parent = dirname(folder)
    if (parent !== folder) ensureDataFolder(parent)
    try {
      mkdirSync(folder)
    } catch (error) {
      // Another process may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  if (!statSync(folder).isDirectory())
    throw Object.assign(new Error(`${folder} is not a folder`), { code: 'ENOTDIR', path: folder })
}

/** Throws when nothing can be written into the folder. */
export function checkWritable(folder: string): void {
  accessSync(folder, constants.W_OK | constants.X_OK)
}
