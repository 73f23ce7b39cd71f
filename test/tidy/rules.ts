/** The rules of the house as data; `tidy.test.ts` holds the tree against them, ARCHITECTURE.md explains them. */

export const FILE_LINES_MAX = 400
/** What oxlint counts: without blank lines and comments. */
export const FUNCTION_LINES_MAX = 70

/** What a folder may take from another one: `values` is code that runs, `types` vanishes before it runs. */
export type Import = 'values' | 'types'

/**
 * Folder -> folder, within src/. What is not here is forbidden. `base` and `wire` know nothing of ours; the planes never
 * meet; the store's worker runs the commands that accounts, ledger, response-state and seal-state define, which is why
 * those five know each other.
 */
export const IMPORTS: Readonly<Record<string, Readonly<Record<string, Import>>>> = {
  base: {},
  wire: { base: 'values' },
  ir: { base: 'values' },
  providers: { base: 'values', wire: 'values', catalog: 'types' },
  codecs: { base: 'values', ir: 'values', wire: 'values' },
  health: {},
  outbound: { base: 'values' },
  simulator: { base: 'values', wire: 'values' },
  limits: { base: 'values' },
  tokens: { base: 'values', ir: 'values', wire: 'values' },
  observe: { base: 'values', store: 'values' },
  store: {
    base: 'values',
    accounts: 'values',
    ledger: 'values',
    billing: 'values',
    'response-state': 'values',
    limits: 'types',
    'seal-state': 'values',
    analytics: 'values',
    observe: 'values',
  },
  sessions: {
    base: 'values',
    outbound: 'values',
    store: 'values',
    accounts: 'types',
    codecs: 'types',
    config: 'types',
    ledger: 'types',
  },
  analytics: { base: 'values', store: 'values', ledger: 'values', catalog: 'types', observe: 'types' },
  ledger: { base: 'values', store: 'values', accounts: 'types', catalog: 'types', ir: 'types', observe: 'types' },
  billing: { base: 'values', store: 'values', ledger: 'values', outbound: 'values' },
  accounts: { base: 'values', store: 'values', ledger: 'values', limits: 'values' },
  'response-state': { base: 'values', store: 'values' },
  'seal-state': { base: 'values', store: 'values' },
  config: { base: 'values', providers: 'values', catalog: 'values', limits: 'values', ledger: 'types' },
  catalog: { base: 'values', config: 'values', providers: 'values', simulator: 'values' },
  'data-plane': {
    base: 'values',
    health: 'values',
    ir: 'values',
    wire: 'values',
    codecs: 'values',
    providers: 'values',
    tokens: 'values',
    ledger: 'values',
    accounts: 'types',
    catalog: 'types',
    config: 'types',
    limits: 'types',
    observe: 'types',
    outbound: 'types',
    'response-state': 'types',
    'seal-state': 'types',
  },
  'control-plane': {
    base: 'values',
    codecs: 'values',
    catalog: 'values',
    accounts: 'values',
    store: 'values',
    config: 'values',
    providers: 'values',
    analytics: 'values',
    health: 'types',
    ledger: 'types',
    limits: 'types',
    observe: 'types',
    'response-state': 'types',
    sessions: 'types',
    billing: 'values',
  },
  cli: {
    base: 'values',
    health: 'values',
    config: 'values',
    catalog: 'values',
    providers: 'values',
    accounts: 'values',
    ledger: 'values',
    'response-state': 'values',
    store: 'values',
    analytics: 'values',
    observe: 'values',
    'control-plane': 'values',
    billing: 'values',
    outbound: 'values',
    main: 'values',
  },
}

/** Files that put the others together and may import everything. */
export const COMPOSITION = [
  'src/main.ts',
  'src/server.ts',
  'src/first-start.ts',
  'src/managed-routes.ts',
  'src/regular-work.ts',
  'src/watched-catalog.ts',
  'src/open-billing.ts',
  'src/open-records.ts',
  'src/cli.ts',
]

/** Tests, and the files that only tests run: they may import what they try. */
export const TEST_FILE = /\.test\.ts$|(^|\/)(testbed|contract(-[a-z]+)*)\.ts$/

/** Words that say nothing about what is inside; neither a file nor an identifier may be called so. */
export const EMPTY_NAMES = ['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'service']

/** One forbidden text. `where` and `except` are regular expressions over paths. */
export interface Ban {
  readonly what: string
  readonly pattern: RegExp
  readonly where: RegExp
  readonly except?: RegExp
  /** A line that the rule must catch; the test plants it. */
  readonly sample: string
}

const SOURCE = /^(src|test|bench|scripts|bin)\//
/** The rules themselves have to spell what they forbid. */
const RULES = /^test\/tidy/

export const BANS: readonly Ban[] = [
  {
    what: "imports within a folder with './', across folders with '#name/'; '../' says neither",
    pattern: /\bfrom '\.\.\/|\bimport\((\s*)'\.\.\/|^import '\.\.\//,
    where: /^(src|test|bench)\/.*\.ts$/,
    except: RULES,
    sample: "import { id } from '../base/ids.ts'",
  },
  {
    what: 'unfinished work',
    pattern: /\b(TODO|FIXME|XXX)\b|not implemented/,
    where: SOURCE,
    except: RULES,
    sample: '// TODO: later',
  },
  {
    what: 'a test that is switched off or that switches the others off',
    pattern: /\b(test|it|describe|suite)\.(only|skip|todo)\(|\bonly: true\b/,
    where: /^(src|test|bench)\//,
    except: RULES,
    sample: "test.only('money', () => {})",
  },
  {
    what: 'SQL built from text outside the store',
    pattern: /(`|'|")\s*(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s+\w+\s+SET|DELETE FROM|CREATE TABLE)\b|\bsql\.raw\(/i,
    where: /^src\//,
    except: /^src\/store\/|\.test\.ts$/,
    sample: 'db.exec(`DELETE FROM keys WHERE id = ${id}`)',
  },
  {
    what: 'a process, a sandbox or generated code in the data plane',
    pattern: /'node:(child_process|vm)'|\beval\(|\bnew Function\(/,
    where: /^src\/data-plane\//,
    sample: "import { spawn } from 'node:child_process'",
  },
  {
    what: 'binary floating point where money is counted',
    pattern: /\bparseFloat\(|\bNumber\(|\bMath\.(round|floor|ceil)\(|\.toFixed\(/,
    where: /^src\/(ledger\/.*|base\/money)\.ts$/,
    except: TEST_FILE,
    sample: 'const cost = Number(price) * tokens',
  },
  {
    what: 'a path of one machine, or a registry other than the default one',
    pattern: /(^|[\s"'`(=])\/(home|root|Users|work)\/\w|https?:\/\/registry\.(?!npmjs\.org)[\w.-]+|"resolved":/,
    where: /./,
    except: RULES,
    sample: "const folder = '/home/me/trivium'",
  },
]

/** Lines that a ban would catch without cause, by file: each is a number that is no amount. */
export const ALLOWED_LINES: Readonly<Record<string, readonly RegExp[]>> = {
  // The exponent of "1e-7" is at most three digits long.
  'src/base/money.ts': [/const point = whole\.length \+ Number\(exponent\)/],
  // Tokens, capped.
  'src/ledger/cost.ts': [/Number\.MAX_SAFE_INTEGER : Number\(tokens\)$/],
  // A day.
  'src/ledger/periods.ts': [/Math\.floor\(nowMs \/ DAY_MS\)/],
}

/** Models of the fault lab (B12): their ids look like paths of ours. */
export const MODEL_IDS = /^test\/(echo|tools|thinking|slow)$/

/** Documents whose paths must exist. */
export const DOCUMENTS = /^(README|ARCHITECTURE|CONTRIBUTING)\.md$|^docs\/.*\.md$/
