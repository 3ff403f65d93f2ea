import type { Answer, Audit, Clock } from '@countersign/core'
import { answer, decisionOn, type Failed, problemAnswer, record, sendAnswer } from '@countersign/core/gate-kit'
import type { Request, RequestHandler, Response } from 'express'
import { asErrorPage } from '../pages/error-page.js'
import type { ResolvedPages } from '../pages/page-options.js'
import { HTML_TYPE, renderPage } from '../pages/render-page.js'
import { LINK_WORDS } from '../pages/texts.js'
import { challengesOf, dependencies, reasons } from '../reasons.js'
import type { Site } from '../site.js'
import { isReply, type Outcome, type PageReply, type Reply, type RouteRefusal } from './outcome.js'

/** Decides on one request. May set cookies and headers; what is sent is in the outcome. */
export type RouteHandler = (request: Request, response: Response) => Outcome | Promise<Outcome>

/** What every route is answered with. */
export interface RouteSetup {
  readonly site: Site
  readonly pages: ResolvedPages
  readonly audit: Audit
  readonly clock: Clock
  /** The name of the routes in events. Default: the path. */
  readonly name: string | undefined
}

/** The gate's own, and the required sink that did not record what a route had opened or bound. */
const DEPENDENCIES = [...dependencies, 'audit_sink'] as const
const CONTEXT = { kind: 'settings-session', reasons, challenge: challengesOf }

/**
 * Makes an Express handler of a route. It ends as a gate does: a refusal is recorded and answered; what is thrown is an
 * outage or a bug, by the rule of the gates; a page of the app's own that throws is a bug.
 */
export function createRoute({
  site,
  pages,
  audit,
  clock,
  name,
}: RouteSetup): (handler: RouteHandler) => RequestHandler {
  return (handler) =>
    async function settingsRoute(request, response) {
      const startedMs = clock.monotonic()
      const outcome = await decide(handler, request, response)
      let refusal: RouteRefusal | Failed
      let sent: Answer
      try {
        if (isReply(outcome)) return sendReply(outcome, request, response, pages)
        refusal = outcome
        sent = answerTo(refusal, request, response, pages)
      } catch (error) {
        refusal = { outcome: 'failed', error }
        sent = problemAnswer(500)
      }
      if (refusal.outcome === 'unavailable' && refusal.dependency !== 'on_open') keepCookies(response, site)
      void record(refusal, {
        ...CONTEXT,
        audit,
        request,
        route: name ?? `${site.path}${request.path}`,
        status: sent.status,
        latencyMs: clock.monotonic() - startedMs,
        type: refusal.outcome === 'denied' ? refusal.type : undefined,
      })
      sendAnswer(response, sent)
    }
}

async function decide(handler: RouteHandler, request: Request, response: Response): Promise<Outcome | Failed> {
  try {
    return await handler(request, response)
  } catch (error) {
    return decisionOn(error, DEPENDENCIES)
  }
}

function answerTo(refusal: RouteRefusal | Failed, request: Request, response: Response, pages: ResolvedPages): Answer {
  const plain = answer(refusal, CONTEXT)
  if (refusal.outcome === 'failed') return plain
  if (refusal.outcome === 'unavailable') return asErrorPage(plain, refusal, request, pages)
  if (refusal.page !== undefined) {
    const body = render(refusal.page, request, response, pages)
    return { ...plain, body, headers: { ...plain.headers, 'Content-Type': HTML_TYPE } }
  }
  const isOfLink = refusal.type === 'settings.link.refused' && refusal.reason !== 'too_many_attempts'
  const words = refusal.words ?? (isOfLink ? LINK_WORDS : undefined)
  return asErrorPage(plain, refusal, request, pages, refusal.link, words)
}

function render({ name, content }: PageReply, request: Request, response: Response, pages: ResolvedPages): string {
  return renderPage(pages, request, response, name, content)
}

function sendReply(reply: Reply, request: Request, response: Response, pages: ResolvedPages): void {
  const body = reply.outcome === 'page' ? render(reply, request, response, pages) : undefined
  if (response.headersSent || response.destroyed) return
  response.setHeader('Cache-Control', 'no-store')
  if (reply.outcome === 'redirect') response.redirect(reply.status, reply.to)
  else if (reply.outcome === 'json') response.json(reply.body)
  else if (reply.outcome === 'empty') response.status(204).end()
  else response.status(200).setHeader('Content-Type', HTML_TYPE).end(body)
}

/**
 * An outage changes no cookie of ours; the app's stay as they are. The device's cookie does change: Telegram's data may be
 * used up, and the browser that used it must be recognised when it comes again.
 */
function keepCookies(response: Response, { cookies: { session, open, signIn } }: Site): void {
  const lines = [response.getHeader('Set-Cookie') ?? []].flat().map(String)
  const kept = lines.filter((line) => ![session, open, signIn].some((name) => line.startsWith(`${name}=`)))
  if (kept.length > 0) response.setHeader('Set-Cookie', kept)
  else response.removeHeader('Set-Cookie')
}
