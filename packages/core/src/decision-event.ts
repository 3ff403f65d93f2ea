import type { AuditEventInput, AuditHttp } from '@countersign/audit'
import type { Application, Request } from 'express'
import { fieldLines } from './field-lines.js'
import type { PrincipalBase } from './principal.js'
import type { ReasonTable } from './reasons.js'
import type { Verdict } from './verdict.js'

/** What of a gate goes into each of its events. */
export interface EventContext {
  readonly scheme: string
  readonly reasons: ReasonTable<string>
  readonly route: string | undefined
}

/** The one event of one decision. */
export function decisionEvent(
  { scheme, reasons, route }: EventContext,
  request: Request,
  verdict: Verdict<PrincipalBase, string, string>,
  status: number | undefined,
  latencyMs: number,
): AuditEventInput {
  const { detail } = verdict
  const { reason, owasp, severity } = meaningOf(verdict, reasons)
  return {
    type: TYPES[verdict.outcome],
    gate: scheme,
    reason,
    owasp,
    severity,
    principal:
      verdict.outcome === 'granted'
        ? { kind: verdict.principal.kind, id: verdict.principal.id }
        : { kind: scheme, id: detail?.principalId ?? 'unknown' },
    credential: detail?.credential,
    attributes: detail?.attributes,
    storeMs: milliseconds(detail?.storeMs),
    latencyMs: milliseconds(latencyMs),
    http: describeRequest(request, route, status),
  }
}

const TYPES = {
  granted: 'access.granted',
  denied: 'access.denied',
  unavailable: 'access.unavailable',
} as const

const GRANTED: Meaning = { owasp: 'authn_login_success' }

type Meaning = Pick<AuditEventInput, 'reason' | 'owasp' | 'severity'>

function meaningOf(verdict: Verdict<PrincipalBase, string, string>, reasons: ReasonTable<string>): Meaning {
  if (verdict.outcome === 'granted') return GRANTED
  if (verdict.outcome === 'unavailable') return { reason: verdict.dependency, owasp: 'sys_monitor_disabled' }
  const { owasp, severity } = reasons[verdict.reason] ?? {}
  return { reason: verdict.reason, owasp, severity }
}

/** The event of a throw inside a gate. The message stays out: it may hold what the gate was reading. */
export function bugEvent(
  { scheme, route }: EventContext,
  request: Request,
  error: unknown,
  latencyMs: number,
): AuditEventInput {
  return {
    type: 'access.unavailable',
    gate: scheme,
    reason: 'internal_error',
    owasp: 'sys_crash',
    principal: { kind: scheme, id: 'unknown' },
    latencyMs: milliseconds(latencyMs),
    http: describeRequest(request, route, 500),
    attributes: describeError(error),
  }
}

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
 * `req.ip`, by Express's `trust proxy`, which may be a function of the app's that throws. Where no proxy is trusted that is the
 * peer's address, and it need not be worked out.
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

/** Name, code and place of what was thrown. That may be anything, and the event must not be lost with it. */
function describeError(error: unknown): Record<string, string> {
  try {
    if (!(error instanceof Error)) return { error: typeof error }
    const { name, message, stack, code } = error as Error & { code?: unknown }
    const at = placeOf(stack, message)
    return { error: name, ...(typeof code === 'string' ? { code } : {}), ...(at === undefined ? {} : { at }) }
  } catch {
    return { error: 'unreadable' }
  }
}

const FRAME = /^\s*at (.*:\d+:\d+\)?)$/

/** The first frame of a stack. What stands before it is the message, of any number of lines, and may look like one. */
function placeOf(stack: unknown, message: string): string | undefined {
  if (typeof stack !== 'string') return undefined
  const start = stack.includes(message) ? stack.indexOf(message) + message.length : 0
  for (const line of stack.slice(start).split('\n')) {
    const place = FRAME.exec(line)?.[1]
    if (place !== undefined) return place
  }
  return undefined
}

function milliseconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000) / 1000
}
