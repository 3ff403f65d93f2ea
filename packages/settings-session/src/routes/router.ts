import type { Middleware } from '@countersign/core'
import { denied } from '@countersign/core/gate-kit'
import type { RequestHandler } from 'express'
import { isLinkQuery } from '../links/link-query.js'
import { tellOfPlace } from '../mount.js'
import type { SettingsSessionReason } from '../reasons.js'
import { pathTo } from '../site.js'
import type { ResolvedTelegram } from '../telegram/telegram-options.js'
import { ANSWER_FORM, type BodyFormat, FORM, JSON_BODY, parseBody } from './body.js'
import type { RouteContext } from './context.js'
import { logOut } from './logout.js'
import { finishSignIn, relayAnswer, startSignIn } from './oauth.js'
import { openLink, receiveLink, showLink } from './open.js'
import { seeOther } from './outcome.js'
import { releaseIdentity } from './release.js'
import { createRoute, type RouteHandler, type RouteSetup } from './route.js'
import { openByTelegram, telegramPage } from './telegram.js'
import { waitForAnswer } from './waiting.js'

/** Routes by method and path. */
type RouteTable = Readonly<Record<string, RouteHandler>>

/** A HEAD must not take what only the person's own navigation may. */
const WITHOUT_HEAD: readonly string[] = ['/oauth/start', '/oauth/callback', '/waiting']

/** Everything that leads to a session and out of it. Requests for other paths and methods are passed on. */
export function createRouter(
  context: RouteContext,
  setup: Pick<RouteSetup, 'pages' | 'name'>,
  telegram: ResolvedTelegram | undefined,
): Middleware {
  const { site, audit, clock } = context
  const on = createRoute({ site, audit, clock, ...setup })
  const table = { ...linkRoutes(context), ...signInRoutes(context), ...telegramRoutes(context, telegram) }
  const routes = new Map(Object.entries(table).map(([name, handler]) => [name, on(handler)]))

  return function settingsRoutes(request, response, next) {
    if (request.baseUrl !== site.path) tellOfPlace(request, site)
    const path = request.path.replace(/(?<=.)\/$/, '')
    if (request.method === 'OPTIONS') {
      const methods = ['GET', 'POST'].filter((method) => path !== '/' && routes.has(`${method} ${path}`))
      if (methods.length === 0) return next()
      return void response.status(204).setHeader('Allow', methods.join(', ')).end()
    }
    const handler = routes.get(`${request.method === 'HEAD' ? 'GET' : request.method} ${path}`)
    const isLink = path !== '/' || isLinkQuery(request.query)
    if (handler === undefined || !isLink) return next()
    if (request.method === 'HEAD' && WITHOUT_HEAD.includes(path)) return void response.status(405).end()
    return handler(request, response, next)
  } satisfies RequestHandler as Middleware
}

function linkRoutes(context: RouteContext): RouteTable {
  return {
    'GET /': (request, response) => receiveLink(context, request, response),
    'GET /open': (request, response) => showLink(context, request, response),
    'POST /open': withBody(FORM, 'cross_site', (request, response) => openLink(context, request, response)),
    // The page after a sign-out is at this address: its reload, or a bookmark of it.
    'GET /logout': () => seeOther(pathTo(context.site, '')),
    'POST /logout': withBody(FORM, 'cross_site', (request, response) => logOut(context, request, response)),
  }
}

function signInRoutes(context: RouteContext): RouteTable {
  const { provider } = context
  if (provider === undefined) return {}
  return {
    'GET /oauth/start': (request, response) => startSignIn(context, provider, request, response),
    'GET /oauth/callback': (request, response) => finishSignIn(context, provider, request, response),
    'POST /oauth/release': withBody(FORM, 'cross_site', (request, response) =>
      releaseIdentity(context, request, response),
    ),
    'GET /waiting': (request, response) => waitForAnswer(context, request, response),
    ...(provider.isFormPost
      ? { 'POST /oauth/callback': withBody(ANSWER_FORM, 'sign_in_failed', (request) => relayAnswer(context, request)) }
      : {}),
  }
}

function telegramRoutes(context: RouteContext, telegram: ResolvedTelegram | undefined): RouteTable {
  if (telegram === undefined) return {}
  const open: RouteHandler = (request, response) => openByTelegram(context, telegram, request, response)
  return {
    'GET /telegram': (request, response) => telegramPage(context, telegram, request, response),
    'POST /telegram': withBody(JSON_BODY, 'telegram_invalid', open),
  }
}

/** A body that cannot be read is refused as any other wrong one is. */
function withBody(format: BodyFormat, reason: SettingsSessionReason, handler: RouteHandler): RouteHandler {
  return async (request, response) => {
    const attributes = await parseBody(request, format)
    return attributes === undefined ? handler(request, response) : denied(reason, { detail: { attributes } })
  }
}
