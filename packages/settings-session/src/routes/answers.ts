import type { AuditEventInput } from '@countersign/core/gate-kit'
import { UnavailableError, type Answer } from '@countersign/core'
import { describeRequest, problemAnswer, sendAnswer } from '@countersign/core/gate-kit'
import type { Request, RequestHandler, Response } from 'express'
import { challenge } from '../challenge.js'
import type { Engine } from '../engine.js'
import { renderPage } from '../pages/send-page.js'
import { errorText, linkText } from '../pages/texts.js'
import { reasons, type SettingsSessionDependency, type SettingsSessionReason } from '../reasons.js'

/** Whether the answer is for a person to look at. What accepts anything is a program. */
export function wantsHtml(request: Request): boolean {
  return request.accepts(['json', 'html']) === 'html'
}

export interface Link {
  readonly href: string
  readonly text: string
}

/** The answer as a page, where a page was asked for. `cause` chooses the words. */
export function asPage(engine: Engine, request: Request, answer: Answer, cause: string, link?: Link): Answer {
  const { res: response } = request
  if (response === undefined || !wantsHtml(request)) return answer
  const words = cause.startsWith('link ') ? linkText : errorText(cause)
  const model = { status: answer.status, ...words, link }
  const body = renderPage(engine.options.pages, request, response, 'error', model)
  return { ...answer, body, headers: { ...answer.headers, 'Content-Type': 'text/html; charset=utf-8' } }
}

export interface Refusal {
  readonly reason: SettingsSessionReason
  /** What the audit event says beyond the reason. */
  readonly event?: Partial<AuditEventInput>
  /** The refusal is of a link: the page says to ask for another. */
  readonly isOfLink?: boolean
  readonly link?: Link
}

/** Refuses on one of our routes: one event, one answer. */
export function refuse(engine: Engine, request: Request, response: Response, refusal: Refusal): void {
  const { reason, event = {}, isOfLink = false, link } = refusal
  const { status, problem, owasp, severity } = { severity: undefined, problem: undefined, ...reasons[reason] }
  engine.emit({
    type: isOfLink ? 'settings.link.refused' : 'access.denied',
    reason,
    owasp,
    severity,
    principal: { kind: 'settings-session', id: 'unknown' },
    http: describeRequest(request, routeOf(engine, request), status),
    ...event,
  })
  const answer = problemAnswer(status, problem, status === 401 ? [challenge] : [])
  sendAnswer(response, asPage(engine, request, answer, isOfLink ? `link ${reason}` : reason, link))
}

/** 503: what cannot be asked is not an answer. Cookies stay as they are. */
export function answerUnavailable(
  engine: Engine,
  request: Request,
  response: Response,
  dependency: SettingsSessionDependency,
): void {
  engine.emit({
    type: 'access.unavailable',
    reason: dependency,
    owasp: 'sys_monitor_disabled',
    principal: { kind: 'settings-session', id: 'unknown' },
    http: describeRequest(request, routeOf(engine, request), 503),
  })
  keepCookies(engine, response)
  const answer = problemAnswer(503, {}, [], { 'Retry-After': '1' })
  sendAnswer(response, asPage(engine, request, answer, dependency))
}

/**
 * Takes back what would change a cookie of ours; those of the app stay. So does the device's: what Telegram signed may be
 * used up, and the browser that used it must be known when it comes again.
 */
function keepCookies({ cookies: { device: _device, ...ours } }: Engine, response: Response): void {
  const lines = [response.getHeader('Set-Cookie') ?? []].flat().map(String)
  const foreign = lines.filter((line) => !Object.values(ours).some((name) => line.startsWith(`${name}=`)))
  if (foreign.length > 0) response.setHeader('Set-Cookie', foreign)
  else response.removeHeader('Set-Cookie')
}

/**
 * A handler of ours: an outage of the store is 503. Anything else that is thrown is a fault, of the app's own functions
 * or of ours: one event, and on to the app's error handler.
 */
export function route(
  engine: Engine,
  handler: (request: Request, response: Response) => Promise<void> | void,
): RequestHandler {
  return async function countersignSettings(request, response, next) {
    try {
      await handler(request, response)
    } catch (thrown) {
      const error = thrown instanceof UnavailableError ? answerOutage(engine, request, response) : thrown
      if (error === undefined) return
      engine.emit({
        type: 'access.unavailable',
        reason: 'internal_error',
        owasp: 'sys_crash',
        principal: { kind: 'settings-session', id: 'unknown' },
        http: describeRequest(request, routeOf(engine, request), 500),
        attributes: { error: error instanceof Error ? error.name : typeof error },
      })
      next(error)
    }
  }
}

/** What the app's own error page threw, if it did. */
function answerOutage(engine: Engine, request: Request, response: Response): unknown {
  try {
    return void answerUnavailable(engine, request, response, 'session_store')
  } catch (error) {
    return error ?? new Error('the error page threw nothing')
  }
}

function routeOf({ options, path }: Engine, request: Request): string {
  return options.route ?? `${path}${request.path}`
}
