import type { Application, Request } from 'express'
import type { Audit } from '../audit/emitter.js'
import type { AuditEventInput, AuditHttp } from '../audit/event.js'
import type { AuditEventType } from '../audit/event-types.js'
import { fieldLines } from '../request/message.js'
import { outages, tellRecovery } from './outages.js'
import type { PrincipalBase } from './principal.js'
import type { ReasonTable } from './reasons.js'
import { tellOperator } from './tell-operator.js'
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
  const { audit, kind } = context
  if (decision.outcome !== 'granted') tellOperator(decision, context)
  else if (outages.size > 0) tellRecovery(kind)
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

/** A request as an event describes it: method, route template, address. Never its query, its headers or its body. */
export function describeRequest(request: Request, route: string | undefined, status: number | undefined): AuditHttp {
  return {
    method: request.method,
    route: route ?? (request.route?.path === undefined ? '*' : String(request.route.path)),
    status,
    requestId: requestId(request),
    clientAddress: clientAddress(request),
    userAgent: userAgent(request),
  }
}

function userAgent(request: Request): string | undefined {
  try {
    return fieldLines(request, 'user-agent')[0]
  } catch {
    return undefined
  }
}

/**
 * `req.ip`, by Express's `trust proxy`, which may be a function of the app's that throws. Where no proxy is trusted, that
 * is the peer's address, and it need not be computed.
 */
function clientAddress(request: Request): string | undefined {
  try {
    const { app } = request as { app?: Pick<Application, 'enabled'> }
    const isPeer = app?.enabled('trust proxy') !== true && !Object.hasOwn(request, 'ip')
    return isPeer ? request.socket.remoteAddress : request.ip
  } catch {
    return undefined
  }
}

/** The app's own `req.id`: never the caller's header as it came. */
function requestId(request: Request): string | undefined {
  try {
    const { id } = request as { id?: unknown }
    return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
  } catch {
    // A getter of the app's that throws costs the event its id and nothing else.
    return undefined
  }
}
