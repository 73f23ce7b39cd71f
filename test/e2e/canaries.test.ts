import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PROGRAM } from '#test/faults/gateway.ts'
import { startStripe } from '#test/payments/stripe.ts'
import { postgresSkip, startPostgres } from '#test/postgres.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { COMPLETION, playCanaries, startCanaryGateway } from './canary-run.ts'
import { dumpOf, dumpOfPostgres } from './dump.ts'

const ENGINES = [
  { name: 'SQLite', skip: false },
  { name: 'PostgreSQL', skip: postgresSkip },
] as const

describe('S13: no secret, prompt, completion or card is stored, logged, captured, told in an error or shown in a view', () => {
  for (const { name, skip: left } of ENGINES) {
    test(`with ${name}, through a crash`, { skip: left }, async () => {
      // First: a machine on which it does not start is left with nothing that runs.
      const server = name === 'PostgreSQL' ? await startPostgres() : undefined
      const upstream = await startUpstream({ text: COMPLETION + COMPLETION })
      const stripe = await startStripe()
      const url = await server?.createDatabase('canaries')
      const env: Record<string, string> = url ? { DATABASE_URL: url } : {}
      const data = mkdtempSync(join(tmpdir(), 'trivium-canary-'))
      const gateway = await startCanaryGateway(data, upstream, stripe, env)
      try {
        const { secrets, told, seen } = await playCanaries(gateway, upstream)
        const dataDir = join(data, 'data')
        // The run was real: the views have something to show.
        assert.ok(seen.length > 20, seen.join(' '))
        assert.ok(told.some((text) => text.includes('canary-owner@example.com')))
        const database = async () => `${dumpOf(dataDir)}${url ? await dumpOfPostgres(url) : ''}`
        const support = (args: readonly string[]) =>
          execFileSync(process.execPath, [PROGRAM, ...args, '--config', join(data, 'config.yaml')], {
            cwd: data,
            env: { PATH: process.env['PATH'] ?? '', ...secrets, ...env },
            encoding: 'utf8',
          })
        const places: Record<string, string> = {
          'the database after a crash': await database(),
          'an answer': told.join('\n'),
          'what the process printed': gateway.log,
          'the printed configuration': support(['config', 'print', '--json']),
        }
        await gateway.kill('SIGTERM')
        places['the database'] = await database()
        places['the log'] = readFileSync(join(data, 'gateway.log'), 'utf8')
        places['the capture'] = readFileSync(join(data, 'capture.jsonl'), 'utf8')
        assert.ok(places['the capture']!.split('\n').length > 20)
        assert.ok(places['the log']!.includes('request refused'))
        assert.ok(places['the database'].includes('canary@example.com'))
        for (const [place, text] of Object.entries(places))
          for (const [which, secret] of Object.entries(secrets))
            assert.ok(!text.includes(secret), `${which} stands in ${place}: ${around(text, secret)}`)
      } finally {
        await gateway.stop()
        await server?.stop()
        await stripe.close()
        await upstream.close()
      }
    })
  }
})

/** What stands around it, for whoever has to find the place. */
function around(text: string, secret: string): string {
  const at = text.indexOf(secret)
  return JSON.stringify(text.slice(Math.max(0, at - 80), at)).concat(
    ' ... ',
    JSON.stringify(text.slice(at + secret.length, at + secret.length + 40)),
  )
}
