import { z } from 'zod'
import type { Guard } from './guard.ts'
import type { AnyRoute, RouteShape } from './routes.ts'

/** What each guard takes; several are alternatives, and an empty one is nothing at all. */
const SECURITY: Readonly<Record<Guard, readonly Record<string, readonly never[]>[]>> = {
  public: [],
  'optional-key': [{}, { apiKey: [] }],
  'any-key': [{ apiKey: [] }, { session: [] }],
  'any-key-or-master': [{ apiKey: [] }, { session: [] }, { masterKey: [] }],
  management: [{ managementKey: [] }, { session: [] }, { masterKey: [] }],
  master: [{ masterKey: [] }, { administratorSession: [] }],
}

const bearer = (description: string): object => ({ type: 'http', scheme: 'bearer', description })
const cookie = (description: string): object => ({
  type: 'apiKey',
  in: 'cookie',
  name: 'trivium.session_token',
  description,
})

const SECURITY_SCHEMES = {
  apiKey: bearer('A key of an account; x-api-key and x-goog-api-key work too.'),
  managementKey: bearer('A management key of an account.'),
  masterKey: bearer("The operator's master key."),
  session: cookie('Whoever is signed in.'),
  administratorSession: cookie('An administrator who is signed in.'),
}

/**
 * The control plane as OpenAPI 3.1, made of the table of routes and of the schemas that its handlers validate by. What better-auth
 * answers is one path.
 */
export function describeRoutes(routes: readonly AnyRoute[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const { path, parameters } = pathOf(route.path)
    const operations = (paths[path] ??= {})
    operations[route.method.toLowerCase()] = {
      operationId: `${route.method.toLowerCase()} ${path}`,
      'x-guard': route.guard,
      security: SECURITY[route.guard],
      parameters: [...parameters, ...queryOf(route.shape)],
      ...bodyOf(route.shape),
      responses: {
        default: { description: 'JSON; an error has the envelope of the protocol that the path belongs to.' },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Trivium', version, description: 'Management, catalog and model lists.' },
    components: { securitySchemes: SECURITY_SCHEMES },
    paths,
  }
}

/** `/keys/:hash` -> `/keys/{hash}`; the rest of a path is one parameter. */
function pathOf(path: string): { path: string; parameters: object[] } {
  const names: string[] = []
  const named = path.replace(/:(\w+)|\*/g, (_all, name: string | undefined) => {
    names.push(name ?? 'rest')
    return `{${name ?? 'rest'}}`
  })
  const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  return { path: named, parameters }
}

function queryOf(shape: RouteShape | undefined): object[] {
  if (!shape?.query) return []
  const { properties = {}, required = [] } = schemaOf(shape.query) as {
    properties?: Record<string, object>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
}

function bodyOf(shape: RouteShape | undefined): object {
  if (!shape?.body) return {}
  return { requestBody: { content: { 'application/json': { schema: schemaOf(shape.body) } } } }
}

/** As the client writes it: before our transformations. */
function schemaOf(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}
