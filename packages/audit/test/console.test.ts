import { createAudit } from '@countersign/core'
import { HOMEPAGE } from '@countersign/core/gate-kit'
import { expect, jest, test } from '@jest/globals'
import { decision } from '../../../test/support/audit-events.js'
import { type ConsoleLike, consoleSink } from '../src/console.js'

const PAGE = `${HOMEPAGE}/errors/reasons#hmac-`

test('each event is one line, at the level of its severity', () => {
  const levels = { info: jest.fn(), warn: jest.fn(), error: jest.fn() }
  const audit = createAudit({ sinks: [consoleSink(levels)] })
  const changes = { gate: 'hmac', http: undefined, principal: undefined }
  audit.emit(decision({ ...changes, severity: 'info', reason: 'missing' }))
  audit.emit(decision({ ...changes, severity: 'warning', attributes: { said: '100 %s' } }))
  audit.emit(decision({ ...changes, severity: 'critical', reason: 'replayed' }))
  expect(levels.info.mock.calls).toEqual([['%s', `access.denied hmac reason=missing see=${PAGE}missing`]])
  expect(levels.warn.mock.calls).toEqual([
    ['%s', `access.denied hmac reason=bad_signature said="100 %s" see=${PAGE}bad_signature`],
  ])
  expect(levels.error.mock.calls).toEqual([['%s', `access.denied hmac reason=replayed see=${PAGE}replayed`]])
  expect(audit.stats().sinks.map(({ name }) => name)).toEqual(['console'])
})

test('the console is that of the process by default', () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined)
  createAudit({ sinks: [consoleSink()] }).emit(decision({ http: undefined, principal: undefined }))
  expect(warn.mock.calls).toEqual([['%s', `access.denied hmac reason=bad_signature see=${PAGE}bad_signature`]])
  warn.mockRestore()
})

test('what is not a console is refused', () => {
  expect(() => consoleSink({} as ConsoleLike)).toThrow(
    expect.objectContaining({
      name: 'OptionError',
      message: expect.stringMatching(/^consoleSink: the argument must be/),
    }),
  )
})
