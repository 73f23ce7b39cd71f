import { GatewayError } from '#base/errors.ts'
import { ownAccount } from './billing.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { statementCsv, statementHtml } from './statement-texts.ts'

type OwnerCall = Call<KeyActor | MasterActor>

const NAME = /^(.+)\.(json|csv|html)$/

/** `GET /api/billing/statements`: the months of an account, newest first. */
export async function listStatements(call: OwnerCall): Promise<Answer> {
  return { body: { data: await call.deps.billing.statements.list(await ownAccount(call)) } }
}

/** `GET /api/billing/statements/2026-11.json`, `.csv` or `.html` (R99). */
export async function readStatement(call: OwnerCall): Promise<Answer> {
  const [, month, form] = NAME.exec(call.params['name']!) ?? []
  if (month === undefined) throw new GatewayError('not_found', 'A statement is named like 2026-11.json, .csv or .html.')
  const account = (await call.deps.accounts.get(await ownAccount(call)))!
  const statement = await call.deps.billing.statements.read(account, month)
  if (form === 'json') return { body: statement }
  const name = `statement-${statement.number ?? month}.${form}`
  if (form === 'csv') {
    const headers = {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${name}"`,
    }
    return { headers, body: statementCsv(statement) }
  }
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'x-content-type-options': 'nosniff',
    },
    body: statementHtml(statement),
  }
}
