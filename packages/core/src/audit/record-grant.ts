import { andThen, settle } from '../async.js'
import { describeError } from '../gate/thrown.js'
import { UnavailableError } from '../stores/unavailable-error.js'
import { warnOnce } from '../warn-once.js'
import type { Audit } from './emitter.js'
import type { AuditEventInput } from './event.js'

/**
 * Records a change of state that gives somebody a right, right after it took effect. Returns nothing, or a promise where a
 * required sink or `undo` is asynchronous. When a required sink did not take the event, the change is undone: the other
 * sinks are told that it failed, and `undo`, which may be called without the change, takes away what was given.
 *
 * What takes rights away calls `audit.emit` and waits for nothing. See decision 0094.
 *
 * @throws {UnavailableError} `audit_sink`, or rejects with it, when the event was not recorded, undone or not.
 * @example
 * await recordGrant(audit, { type: 'mcp.credential.issued', gate: 'mcp-credential' }, () => store.revoke(id, life))
 */
export function recordGrant(audit: Audit, event: AuditEventInput, undo: () => unknown): void | Promise<void> {
  // A wrapped emitter may lack `active`: then it gets the event.
  if (audit.active === false) return
  const taken = audit.emit(event, () => failureOf(event, 'audit_sink'))
  return andThen(taken, (isTaken) => {
    if (isTaken) return
    return settle(undo, refuse, (error) => {
      tellNotUndone(audit, event, error)
      throw new UnavailableError('audit_sink', NOT_UNDONE, { cause: error })
    })
  })
}

const UNDONE = 'a required audit sink did not record the change, so it was undone'
const NOT_UNDONE = 'a required audit sink did not record the change, and it could not be undone'

function refuse(): never {
  throw new UnavailableError('audit_sink', UNDONE)
}

function failureOf(event: AuditEventInput, reason: 'audit_sink' | 'not_undone'): AuditEventInput {
  return { ...event, outcome: 'error', severity: 'critical', reason }
}

/** Something stands that nobody may have heard of: the operator has to end it. */
function tellNotUndone(audit: Audit, event: AuditEventInput, error: unknown): void {
  const attributes = { ...event.attributes, ...describeError(error) }
  void audit.emit({ ...failureOf(event, 'not_undone'), attributes })
  const id = event.credential?.id ?? event.principal?.id ?? ''
  warnOnce({
    code: 'COUNTERSIGN_CHANGE_NOT_UNDONE',
    cause: `${event.type} ${id}`,
    message: `${event.type} ${id}: ${NOT_UNDONE}`,
    remedy: 'Revoke it when the store is reachable again. The caller was told that it failed.',
  })
}
