import { json, type Request, type RequestHandler, type Response, Router, urlencoded } from 'express'
import type { Engine } from '../engine.js'
import type { SettingsSessionReason } from '../reasons.js'
import { refuse, route } from './answers.js'
import { logOut } from './logout.js'
import { finishSignIn, startSignIn } from './oauth.js'
import { confirmPage, openLink, receiveLink } from './open.js'
import { openByTelegram, telegramPage } from './telegram.js'
import { waitForAnswer } from './waiting.js'

const form = urlencoded({ extended: false, limit: '4kb', parameterLimit: 20 })
const jsonBody = json({ limit: '16kb' })

type Handler = (engine: Engine, request: Request, response: Response) => Promise<void> | void

/** Everything that leads to a session and out of it. What it does not know it leaves to the app. */
export function createRouter(engine: Engine): Router {
  const { provider } = engine
  const { telegram } = engine.options
  const router = Router({ caseSensitive: true })
  const on = (handler: Handler) => route(engine, (request, response) => handler(engine, request, response))
  /** A body that cannot be read is refused like any other that is wrong. */
  const after = (parse: RequestHandler, reason: SettingsSessionReason, handler: Handler): RequestHandler => {
    const handle = on(handler)
    const refuseBody = on((_engine, request, response) => refuse(engine, request, response, { reason }))
    return (request, response, next) =>
      parse(request, response, (error?: unknown) =>
        (error === undefined ? handle : refuseBody)(request, response, next),
      )
  }

  const receive = on(receiveLink)
  router.get('/', (request, response, next) => {
    const isLink = Object.hasOwn(request.query, 's')
    return isLink ? receive(request, response, next) : next()
  })
  router.get('/open', on(confirmPage))
  router.post('/open', after(form, 'cross_site', openLink))
  router.post('/logout', after(form, 'cross_site', logOut))
  if (provider !== undefined) {
    // A HEAD must not take what only the person's own navigation may.
    router.head(
      ['/oauth/start', '/oauth/callback', '/waiting'],
      (_request, response) => void response.status(405).end(),
    )
    router.get(
      '/oauth/start',
      on((_engine, request, response) => startSignIn(engine, provider, request, response)),
    )
    router.get(
      '/oauth/callback',
      on((_engine, request, response) => finishSignIn(engine, provider, request, response)),
    )
    router.get('/waiting', on(waitForAnswer))
  }
  if (telegram !== undefined) {
    router.get(
      '/telegram',
      on((_engine, request, response) => telegramPage(engine, telegram, request, response)),
    )
    router.post(
      '/telegram',
      after(jsonBody, 'telegram_invalid', (_engine, request, response) =>
        openByTelegram(engine, telegram, request, response),
      ),
    )
  }
  return router
}
