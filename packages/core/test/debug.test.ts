import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createAudit } from '@countersign/core'
import { eventLine, HOMEPAGE } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { decision } from '../../../test/support/audit-events.js'
import { recordAudit } from '../../../test/support/audit-recorder.js'

const PROGRAM = fileURLToPath(new URL('debug-process.ts', import.meta.url))

/** What the program prints with this `NODE_DEBUG`. */
function print(nodeDebug: string): string {
  const done = spawnSync(process.execPath, ['--conditions=dev-source', '--import', 'tsx', PROGRAM], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', NODE_DEBUG: nodeDebug },
  })
  expect([done.status, done.stdout]).toEqual([0, ''])
  return done.stderr.replaceAll(/ ms=[\d.]+/g, ' ms=1').replaceAll(/^COUNTERSIGN \d+: /gm, '')
}

test('NODE_DEBUG=countersign prints each decision in one line, without a sink', () => {
  expect(print('countersign').trimEnd().split('\n')).toEqual([
    'access.granted key GET /things/:id principal=the-key from=127.0.0.1 ms=1',
    'access.denied key GET /things/:id status=401 reason=unknown principal=unknown from=127.0.0.1 ms=1',
  ])
})

test('without it nothing is printed, and an emitter without a listener is not active', () => {
  expect(print('')).toBe('')
  expect(createAudit().active).toBe(false)
})

describe('the line of an event', () => {
  test('has what the event has: seen against expected, and times', () => {
    const { audit, events } = recordAudit()
    audit.emit(
      decision({
        credential: { id: 'scheduler/1' },
        latencyMs: 1.5,
        storeMs: 1,
        attributes: { skew_seconds: -3, format: 'rfc9421', is_old: true },
      }),
    )
    expect(events.map(eventLine)).toEqual([
      `access.denied hmac POST /internal status=401 reason=bad_signature principal=unknown credential=scheduler/1 from=127.0.0.1 ms=1.5 store_ms=1 skew_seconds=-3 format=rfc9421 is_old=true see=${HOMEPAGE}/errors/reasons#hmac-bad_signature`,
    ])
  })

  test('leads to the page of the reason, for what a gate of this suite did not grant alone', () => {
    const { audit, events } = recordAudit()
    audit.emit({ type: 'access.unavailable', gate: 'oauth-bearer', reason: 'keys' })
    audit.emit({ type: 'access.unavailable', gate: 'my-own', reason: 'internal_error' })
    audit.emit({ type: 'access.denied', gate: 'my-own', reason: 'unknown' })
    audit.emit({ type: 'access.denied', gate: 'hmac', reason: 'expired', attributes: { see: 'elsewhere' } })
    audit.emit({ type: 'mcp.credential.revoked', gate: 'mcp-credential', reason: 'thread' })
    expect(events.map(eventLine)).toEqual([
      `access.unavailable oauth-bearer reason=keys see=${HOMEPAGE}/errors/reasons#oauth-bearer-keys`,
      `access.unavailable my-own reason=internal_error see=${HOMEPAGE}/errors/COUNTERSIGN_INTERNAL_ERROR`,
      'access.denied my-own reason=unknown',
      `access.denied hmac reason=expired see=${HOMEPAGE}/errors/reasons#hmac-expired`,
      'mcp.credential.revoked mcp-credential reason=thread',
    ])
  })

  test('names the request by the id of the app', () => {
    const { audit, events } = recordAudit()
    audit.emit({ type: 'access.granted', http: { method: 'GET', route: '*', requestId: 'r-7' } })
    expect(events.map(eventLine)).toEqual(['access.granted GET * request=r-7'])
  })

  test('leaves out what the event has not, and cannot be forged through a value', () => {
    const { audit, events } = recordAudit()
    const attributes = { what: 'a b', quote: '"', equals: 'reason=x', none: '', line: 'a\nb' }
    audit.emit({ type: 'mcp.credential.issued', attributes })
    expect(events.map(eventLine)).toEqual([
      'mcp.credential.issued what="a b" quote="\\"" equals="reason=x" none="" line=ab',
    ])
  })
})
