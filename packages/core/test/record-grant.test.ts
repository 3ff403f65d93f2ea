import { createAudit, UnavailableError } from '@countersign/core'
import { type AuditEventInput, recordGrant } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { endings, requiredAudit, SINK_FAILURES, UNRECORDED } from '../../../test/support/required-audit.js'
import { catchWarnings } from '../../../test/support/warnings.js'

const event: AuditEventInput = { type: 'hmac.secret.added', gate: 'hmac', credential: { id: 'a/1', version: 1 } }

/** What was undone, in the end. */
function undoing(work: () => unknown = () => undefined) {
  const done: string[] = []
  const undo = () => {
    done.push('undone')
    return work()
  }
  return { done, undo }
}

describe('recordGrant', () => {
  test('undoes nothing, and makes no promise, where nobody listens, and where the event is recorded at once', () => {
    const { done, undo } = undoing()
    const { audit, recorded } = requiredAudit()
    expect(recordGrant(createAudit(), event, undo)).toBe(undefined)
    expect(recordGrant(audit, event, undo)).toBe(undefined)
    expect(endings(recorded)).toEqual([['hmac.secret.added', 'success']])
    expect(done).toEqual([])
  })

  test('does not fail for a sink that is not required', () => {
    const { done, undo } = undoing()
    const broken = () => {
      throw new Error('full')
    }
    expect(recordGrant(createAudit({ sinks: [broken] }), event, undo)).toBe(undefined)
    expect(done).toEqual([])
  })

  test('waits for the record', async () => {
    const { done, undo } = undoing()
    const audit = createAudit()
    let release: () => void = () => undefined
    audit.subscribe(() => new Promise<void>((resolve) => (release = resolve)), { required: true })
    let isOver = false
    const work = Promise.resolve(recordGrant(audit, event, undo)).then(() => (isOver = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    release()
    await work
    expect(done).toEqual([])
  })

  test.each(SINK_FAILURES)('undoes what a required sink, which %s, did not record, and says so', async (how) => {
    const { audit, events, recorded, fail } = requiredAudit()
    fail(how)
    for (const work of [undefined, async () => undefined]) {
      const { done, undo } = undoing(work)
      await expect((async () => recordGrant(audit, event, undo))()).rejects.toMatchObject(UNRECORDED)
      expect(done).toEqual(['undone'])
    }
    const told = ['hmac.secret.added', 'error', 'audit_sink']
    expect(endings(events)).toEqual([told, told])
    expect(events.map(({ severity }) => severity)).toEqual(['critical', 'critical'])
    expect(recorded).toEqual([])
  })

  test('throws in the same tick where neither the sink nor the undoing makes a promise', () => {
    const { audit, fail } = requiredAudit()
    fail('throws')
    expect(() => recordGrant(audit, event, () => undefined)).toThrow(expect.objectContaining(UNRECORDED))
  })

  test('never reports success when the undoing fails: an event and a warning name what stands', async () => {
    const { warnings, stop } = catchWarnings()
    const { audit, events, fail } = requiredAudit()
    fail('rejects')
    const down = new UnavailableError('secret_store', 'down')
    const failures = [() => Promise.reject(down), () => Promise.reject(new TypeError('a bug'))]
    for (const work of failures) {
      await expect((async () => recordGrant(audit, event, work))()).rejects.toMatchObject(UNRECORDED)
    }
    expect(() => {
      fail('throws')
      recordGrant(audit, event, () => {
        throw down
      })
    }).toThrow(expect.objectContaining({ ...UNRECORDED, cause: down }))
    const told = ['audit_sink', 'not_undone']
    expect(events.map(({ reason }) => reason)).toEqual([...told, ...told, ...told])
    expect(events.map(({ attributes }) => attributes?.error)).toContain('UnavailableError')
    expect(warnings.map(({ code }) => code)).toEqual(['COUNTERSIGN_CHANGE_NOT_UNDONE'])
    expect(warnings[0]?.message).toContain('hmac.secret.added a/1')
    stop()
  })

  test('gives an emitter without `active` the event', () => {
    const { audit, recorded } = requiredAudit()
    const wrapped = { ...audit, emit: audit.emit, active: undefined as unknown as boolean }
    recordGrant(wrapped, event, () => undefined)
    expect(recorded).toHaveLength(1)
  })

  test('refuses when the emitter is closed', async () => {
    const { done, undo } = undoing()
    const { audit } = requiredAudit()
    await audit.close()
    expect(() => recordGrant(audit, event, undo)).toThrow(expect.objectContaining(UNRECORDED))
    expect(done).toEqual(['undone'])
  })
})
