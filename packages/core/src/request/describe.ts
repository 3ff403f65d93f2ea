import type { Application, Request } from 'express'
import type { AuditHttp } from '../audit/event.js'
import { fieldLines } from './field-lines.js'

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
