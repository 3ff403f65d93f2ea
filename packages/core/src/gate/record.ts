import type { Request } from 'express'
import type { Audit } from '../audit/emitter.js'
import type { AuditEventInput } from '../audit/event.js'
import type { AuditEventType } from '../audit/event-types.js'
import { describeRequest } from '../request/describe.js'
import type { PrincipalBase } from './principal.js'
import type { ReasonTable } from './reasons.js'
import { describeError } from './thrown.js'
import { type Decision, type Unavailable, unavailable } from './verdict.js'

/** What {@link record} knows of a decision beside its verdict. */
export interface DecisionContext<R extends string = string> {
  /** The kind of the gate. */
  readonly kind: string
  readonly reasons: ReasonTable<R>
  readonly audit: Audit
  /** Milliseconds that the decision took. */
  readonly latencyMs: number
  /** Absent where a decision has none, as in an adapter that is handed a token alone. */
  readonly request?: Request | undefined
  /** The route template. Default: `req.route.path`, else `*`. */
  readonly route?: string | undefined
  /** The HTTP status that is answered; absent where the request is let through, or another one answers. */
  readonly status?: number | undefined
  /** Default: `access.granted`, `access.denied` or `access.unavailable`, by the verdict. */
  readonly type?: AuditEventType | undefined
}

/** No audit, no service: what a grant becomes when a required sink did not take its event. */
const UNRECORDED: Unavailable<'audit_sink'> = Object.freeze(unavailable('audit_sink'))

/**
 * Makes the one event of a decision, and returns the decision that stands: the same one, or *unavailable* when a grant
 * was not taken by a required sink (then the other sinks get that event). Needs no response.
 */
export function record<P extends PrincipalBase, R extends string, D extends string>(
  decision: Decision<P, R, D>,
  context: DecisionContext<R>,
): Decision<P, R, D | 'audit_sink'> | Promise<Decision<P, R, D | 'audit_sink'>> {
  const { audit } = context
  // A wrapped emitter may lack `active`: then it gets the event.
  if (audit.active === false) return decision
  if (decision.outcome !== 'granted') {
    void audit.emit(eventOf(decision, context))
    return decision
  }
  const taken = audit.emit(eventOf(decision, context), () => eventOf(UNRECORDED, { ...context, status: 503 }))
  if (typeof taken === 'boolean') return taken ? decision : UNRECORDED
  return taken.then((isTaken) => (isTaken ? decision : UNRECORDED))
}

const TYPES = {
  granted: 'access.granted',
  denied: 'access.denied',
  unavailable: 'access.unavailable',
  failed: 'access.unavailable',
} as const

function eventOf(decision: Decision, context: DecisionContext): AuditEventInput {
  const { kind, request, route, status, latencyMs, type = TYPES[decision.outcome] } = context
  const detail = decision.outcome === 'failed' ? { attributes: describeError(decision.error) } : decision.detail
  const { reason, owasp, severity } = meaningOf(decision, context.reasons)
  return {
    type,
    gate: kind,
    reason,
    owasp,
    severity,
    principal:
      decision.outcome === 'granted'
        ? { kind: decision.principal.kind, id: decision.principal.id }
        : { kind, id: detail?.principalId ?? 'unknown' },
    credential: detail?.credential,
    attributes: detail?.attributes,
    storeMs: milliseconds(detail?.storeMs),
    latencyMs: milliseconds(latencyMs),
    http: request === undefined ? undefined : describeRequest(request, route, status),
  }
}

type Meaning = Pick<AuditEventInput, 'reason' | 'owasp' | 'severity'>

const GRANTED: Meaning = { owasp: 'authn_login_success' }
const FAILED: Meaning = { reason: 'internal_error', owasp: 'sys_crash' }

function meaningOf(decision: Decision, reasons: ReasonTable<string>): Meaning {
  if (decision.outcome === 'granted') return GRANTED
  if (decision.outcome === 'failed') return FAILED
  if (decision.outcome === 'unavailable') return { reason: decision.dependency, owasp: 'sys_monitor_disabled' }
  const { owasp, severity } = reasons[decision.reason] ?? {}
  return { reason: decision.reason, owasp, severity }
}

function milliseconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000) / 1000
}
