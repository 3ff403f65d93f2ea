import { denied } from '@countersign/core/gate-kit'
import { json, type RequestHandler, Router, urlencoded } from 'express'
import type { SettingsSessionReason } from '../reasons.js'
import type { ResolvedTelegram } from '../telegram/telegram-options.js'
import type { RouteContext } from './context.js'
import { logOut } from './logout.js'
import { finishSignIn, startSignIn } from './oauth.js'
import { openLink, receiveLink, showLink } from './open.js'
import { createRoute, type RouteHandler, type RouteSetup } from './route.js'
import { openByTelegram, telegramPage } from './telegram.js'
import { waitForAnswer } from './waiting.js'

const parseForm = urlencoded({ extended: false, limit: '4kb', parameterLimit: 20 })
const parseJson = json({ limit: '16kb' })

/** Everything that leads to a session and out of it. Requests for other paths are passed on. */
export function createRouter(
  context: RouteContext,
  setup: Pick<RouteSetup, 'pages' | 'name'>,
  telegram: ResolvedTelegram | undefined,
): Router {
  const { site, provider, audit, clock } = context
  const router = Router({ caseSensitive: true })
  const on = createRoute({ site, audit, clock, ...setup })
  /** A body that cannot be parsed is refused as any other wrong one is. */
  const after = (parse: RequestHandler, reason: SettingsSessionReason, handler: RouteHandler): RequestHandler => {
    const handle = on(handler)
    const refuse = on(() => denied(reason))
    return (request, response, next) =>
      parse(request, response, (error?: unknown) => (error === undefined ? handle : refuse)(request, response, next))
  }

  const receive = on((request, response) => receiveLink(context, request, response))
  router.get('/', (request, response, next) => {
    const isLink = Object.hasOwn(request.query, 's')
    return isLink ? receive(request, response, next) : next()
  })
  router.get(
    '/open',
    on((request, response) => showLink(context, request, response)),
  )
  router.post(
    '/open',
    after(parseForm, 'cross_site', (request, response) => openLink(context, request, response)),
  )
  router.post(
    '/logout',
    after(parseForm, 'cross_site', (request, response) => logOut(context, request, response)),
  )
  if (provider !== undefined) {
    const paths = ['/oauth/start', '/oauth/callback', '/waiting']
    // A HEAD must not take what only the person's own navigation may.
    router.head(paths, (_request, response) => void response.status(405).end())
    router.get(
      '/oauth/start',
      on((request, response) => startSignIn(context, provider, request, response)),
    )
    router.get(
      '/oauth/callback',
      on((request, response) => finishSignIn(context, provider, request, response)),
    )
    router.get(
      '/waiting',
      on((request, response) => waitForAnswer(context, request, response)),
    )
  }
  if (telegram !== undefined) {
    router.get(
      '/telegram',
      on((request, response) => telegramPage(context, telegram, request, response)),
    )
    const open: RouteHandler = (request, response) => openByTelegram(context, telegram, request, response)
    router.post('/telegram', after(parseJson, 'telegram_invalid', open))
  }
  return router
}
