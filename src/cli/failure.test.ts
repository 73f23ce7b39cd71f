import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '#config/error.ts'
import { CliError, failureLines } from './failure.ts'

const nodeError = (fields: object) => Object.assign(new Error('raw text of node'), fields)

test('a taken port is one line that names it', () => {
  const lines = failureLines(nodeError({ code: 'EADDRINUSE', address: '127.0.0.1', port: 8000 }))
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /port 8000 on 127\.0\.0\.1 is already in use/)
})

test('an unwritable folder is one line that names it', () => {
  const lines = failureLines(nodeError({ code: 'EACCES', path: '/nowhere/data' }))
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /no permission to write \/nowhere\/data/)
})

test('a bad configuration is one line per problem', () => {
  assert.deepEqual(failureLines(new ConfigError(['first', 'second'])), ['trivium: first', 'trivium: second'])
})

test('what nobody foresaw is one line; its stack only in debugging', () => {
  assert.deepEqual(failureLines(new Error('broken\nat depth')), ['trivium: broken'])
  assert.equal(failureLines(new Error('broken'), true).length, 2)
  assert.equal(failureLines(new CliError('known'), true).length, 1)
})
