import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The system's Chromium; none is downloaded. */
const PROGRAMS = [
  process.env['TRIVIUM_TEST_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
]
const program = PROGRAMS.find((path) => path !== undefined && existsSync(path))

/** Why suites with a browser are skipped; false: they are not. In CI a missing browser is a failure, so that nothing is. */
export const chromiumSkip =
  program === undefined && process.env['CI'] !== 'true' ? 'Chromium is not installed (apt-get install chromium)' : false

/** Without Chromium's own sandbox, which root may not use. */
export async function launchChromium(): Promise<Browser> {
  if (program === undefined) throw new Error('Chromium is required under CI=true.')
  return chromium.launch({ executablePath: program, args: ['--no-sandbox'] })
}
