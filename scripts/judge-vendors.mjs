// Runs the conformance judge once per vendor, with backends of the vendor's own type:
//   node scripts/judge-vendors.mjs [--judge DIR] [--vendor NAME] [--out DIR] [--page FILE]
// The judge and the recordings stand beside the project (../shared) and are no part of it; without them this says so.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { explains } from './conformance.mjs'
import { REASONS } from './conformance-reasons.mjs'
import { VENDORS } from './judge-vendor.mjs'

const HOME = fileURLToPath(new URL('..', import.meta.url))
const ADAPTER = fileURLToPath(new URL('judge-vendor.mjs', import.meta.url))
/** The judge's name of an exchange's protocol, and the ones that it judges. */
const UPSTREAM = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
  'bedrock-converse': 'bedrock-converse',
  'bedrock-converse-stream': 'bedrock-converse',
}

/** What a judge prints. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** Misses that only these backends have. */
const VENDOR_REASONS = [
  {
    invariants: ['request'],
    pattern: /^upstream request: anthropic-version header missing$/,
    vendor: 'google-vertex',
    reason: 'Vertex reads the version of Claude in the body (`anthropic_version`), not in a header.',
  },
  {
    invariants: ['tool_calls'],
    pattern: /^tool_calls: sent .*\{\}.*upstream got/,
    vendor: 'google-vertex',
    reason: "The judge does not put Gemini's partial arguments together; the gateway does.",
  },
  {
    invariants: ['reasoning'],
    pattern: /^reasoning: sent on, upstream got null$/,
    vendor: 'google-vertex',
    reason:
      'Claude does not think on behind a call whose thought is of another vendor: the wish is dropped (`foreign_reasoning`).',
  },
  {
    invariants: ['request_equal'],
    pattern: /differs in models$/,
    vendor: 'openrouter',
    reason: 'Models of the list that have no price here would be billed by nobody and are left out (R68).',
  },
]

const { values } = parseArgs({
  options: {
    judge: { type: 'string', default: join(HOME, '..', 'shared', 'judge') },
    vendor: { type: 'string' },
    out: { type: 'string' },
    page: { type: 'string' },
  },
})
const judge = resolve(values.judge, 'judge.mjs')
const corpus = resolve(values.judge, '..', 'corpus', 'dev')
if (!existsSync(judge) || !existsSync(corpus)) {
  console.log('The judge is not on this machine: nothing was judged.')
  process.exit(0)
}

const index = JSON.parse(readFileSync(join(corpus, 'index.json'), 'utf8'))
const folder = values.out ?? mkdtempSync(join(tmpdir(), 'judge-vendors-'))
const vendors = Object.keys(VENDORS).filter((vendor) => values.vendor === undefined || values.vendor === vendor)
const rows = []
const waiting = vendors.entries()
// A judge mostly waits for its gateway, which mostly waits for it.
await Promise.all(Array.from({ length: availableParallelism() }, judgeInTurn))
console.log(`Reports: ${folder}`)
if (values.page !== undefined) writeFileSync(values.page, page())
process.exitCode = rows.some(({ strange }) => strange > 0) ? 1 : 0

async function judgeInTurn() {
  for (const [place, vendor] of waiting) rows[place] = await judged(vendor)
}

async function judged(vendor) {
  const own = index.filter(({ provider, protocol }) => provider === vendor && UPSTREAM[protocol])
  const only = [...new Set(own.map(({ protocol }) => UPSTREAM[protocol]))]
  const file = join(folder, `${vendor}.json`)
  const args = [judge, '--gateway', ADAPTER, '--project', HOME, '--ids', own.map(({ id }) => id).join(',')]
  await promisify(execFile)(process.execPath, [...args, '--only', only.join(','), '--json', file], {
    env: { ...process.env, JUDGE_VENDOR: vendor },
    maxBuffer: OUTPUT_BYTES_MAX,
  }).catch((error) => {
    // Its own message is the command with every exchange's id.
    throw new Error(`${vendor}: ${error.stderr || error.code}`)
  })
  const report = JSON.parse(readFileSync(file, 'utf8'))
  const missed = report.failures.flatMap((failure) =>
    failure.reasons.map(({ invariant, detail }) => ({ failure, invariant, detail })),
  )
  const strange = missed.filter((miss) => !isExplained(vendor, miss))
  const { pass, fail } = report.checks
  console.log(
    `${vendor}: ${own.length} exchanges, ${pass} of ${pass + fail} checks hold, ${strange.length} misses without a reason`,
  )
  for (const { failure, invariant, detail } of strange)
    console.log(
      `  ${failure.part} ${failure.client} ${failure.upstream} ${failure.id} ${invariant}: ${detail.slice(0, 200)}`,
    )
  return { vendor, exchanges: own.length, checks: pass + fail, missed: fail, strange: strange.length }
}

function isExplained(vendor, { failure, invariant, detail }) {
  const known = VENDOR_REASONS.filter((row) => row.vendor === vendor)
  return [...known, ...REASONS].some((row) => explains(row, failure, invariant, detail))
}

function page() {
  const lines = rows.map(
    ({ vendor, exchanges, checks, missed, strange }) =>
      `| ${vendor} | ${exchanges} | ${checks} | ${missed} | ${strange} |`,
  )
  return `${[
    '# Conformance by vendor',
    "Written by `scripts/judge-vendors.mjs`: the recorded exchanges of each vendor through a backend of the vendor's own type. Not edited by hand. Cohere's protocol is none that the judge knows; `test/laws/replayed-vendors.test.ts` has its exchanges.",
    ['| vendor | exchanges | checks | misses | without a reason |', '| --- | --- | --- | --- | --- |', ...lines].join(
      '\n',
    ),
    'Reasons besides those of [conformance.md](conformance.md):',
    VENDOR_REASONS.map(({ vendor, reason }) => `- ${vendor}: ${reason}`).join('\n'),
  ].join('\n\n')}\n`
}
