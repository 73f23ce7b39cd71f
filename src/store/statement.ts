import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Compilable } from 'kysely'
import type { Database } from './schema.ts'

export type Engine = 'sqlite' | 'postgres'

/** A value as a driver binds it. */
export type Bound = string | number | bigint | null

export type Parameters = Readonly<Record<string, Bound>>

export interface CompiledStatement {
  readonly sql: string
  /** One entry for each marker in the text, in its order. */
  readonly slots: readonly Slot[]
  /** Whether rows come back: a SELECT, or a write with RETURNING. */
  readonly returnsRows: boolean
}

type Slot = { readonly name: string } | { readonly value: Bound }

/** A query that is compiled once per engine and afterwards only bound. `Row` is what comes back. */
export interface Statement<P extends string, Row> {
  compiled(engine: Engine): CompiledStatement
  /** Never set: carries the types. */
  readonly types?: { readonly parameters: P; readonly row: Row }
}

export interface Step {
  readonly statement: Statement<string, unknown>
  /** By name, or already in the order of the markers. */
  readonly parameters: Parameters | readonly Bound[]
}

export interface Outcome<Row> {
  readonly rows: readonly Row[]
  /** Rows inserted, updated or deleted by a statement that returns no rows. */
  readonly changes: number
}

/**
 * The body of a command. It yields waves of statements and is resumed with their outcomes, so one body runs
 * synchronously in the SQLite worker and asynchronously on PostgreSQL. The statements of one wave do not need each
 * other's results and may share a round trip; they take effect in their order.
 */
export type Work<Result> = Generator<readonly Step[], Result, readonly Outcome<unknown>[]>

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

const builders: Readonly<Record<Engine, Kysely<Database>>> = {
  sqlite: new Kysely<Database>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgres: new Kysely<Database>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
}

/** A named parameter while a query is built: Kysely takes it for a value of whatever type the column wants. */
export type Param<P extends string> = (name: P) => never

/**
 * Declares a statement. `build` runs once per engine, at first use; `param('x')` stands for a value that is bound at each
 * call. Kysely's compilation costs more than the query itself, so the hot path must not repeat it (R123).
 */
export function statement<P extends string>() {
  return <Row>(
    build: (db: Kysely<Database>, param: Param<P>, engine: Engine) => Compilable<Row>,
  ): Statement<P, Row> => {
    const cache: { [E in Engine]?: CompiledStatement } = {}
    const param: Param<P> = (name) => new Placeholder(name) as never
    return {
      compiled: (engine) => (cache[engine] ??= compile(build(builders[engine], param, engine))),
    }
  }
}

/** Runs one statement inside a command: `const { rows } = yield* run(find, { id })`. */
export function* run<P extends string, Row>(
  query: Statement<P, Row>,
  parameters: Readonly<Record<P, Bound>>,
): Work<Outcome<Row>> {
  const outcomes = yield [{ statement: query, parameters }]
  return outcomes[0] as Outcome<Row>
}

/** One statement of a wave whose rows nobody reads. */
export function step<P extends string, Row>(query: Statement<P, Row>, parameters: Readonly<Record<P, Bound>>): Step {
  return { statement: query, parameters }
}

/** Runs independent writes in one wave and tells how many rows each one changed. */
export function* runAll(steps: readonly Step[]): Work<readonly number[]> {
  const outcomes = yield steps
  return outcomes.map((outcome) => outcome.changes)
}

function compile(query: Compilable<unknown>): CompiledStatement {
  const { sql, parameters, query: node } = query.compile()
  return {
    sql,
    slots: parameters.map((value) => (value instanceof Placeholder ? { name: value.name } : { value: value as Bound })),
    returnsRows: node.kind === 'SelectQueryNode' || ('returning' in node && node.returning !== undefined),
  }
}
