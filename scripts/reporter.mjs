// Test reporter: the one of Node.js for people, with its closing figures written as `# pass 12` so that programs find them
// in the same form everywhere; under CI=true a skipped test fails the run. The figures are also added to the file that TRIVIUM_TEST_FIGURES
// names, a line of JSON for each run.
import { appendFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { spec as Spec } from 'node:test/reporters'

// A terminal gets the line in colour.
const COLOUR = `(?:${String.fromCharCode(27)}\\[\\d+m)?`
const NAMES = 'tests|suites|pass|fail|cancelled|skipped|todo|duration_ms'
const FIGURE = new RegExp(`^${COLOUR}\u2139 (${NAMES}) (\\d+(?:\\.\\d+)?)${COLOUR}$`, 'gm')

export default async function* report(events) {
  let skipped = 0
  const figures = {}
  const figure = (_line, name, value) => {
    figures[name] = Number(value)
    return `# ${name} ${value}`
  }
  async function* watch() {
    for await (const event of events) {
      // The summary without a file is the one of the whole run.
      if (event.type === 'test:summary' && event.data.file === undefined) skipped = event.data.counts.skipped
      yield event
    }
  }
  for await (const text of Readable.from(watch()).compose(new Spec())) yield String(text).replace(FIGURE, figure)
  const { TRIVIUM_TEST_FIGURES: file } = process.env
  if (file) appendFileSync(file, `${JSON.stringify(figures)}\n`)
  if (skipped > 0 && process.env.CI === 'true') {
    process.exitCode = 1
    yield `\nCI=true: ${skipped} skipped, which counts as failed here\n`
  }
}
