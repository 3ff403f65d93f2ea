import { Router, urlencoded } from 'express'
import type { Engine } from '../engine.js'
import { route } from './answers.js'
import { logOut } from './logout.js'
import { confirmPage, openLink, receiveLink } from './open.js'

const form = urlencoded({ extended: false, limit: '4kb', parameterLimit: 20 })

/** Everything that leads to a session and out of it. What it does not know it leaves to the app. */
export function createRouter(engine: Engine): Router {
  const router = Router({ caseSensitive: true })
  const receive = route(engine, (request, response) => receiveLink(engine, request, response))
  router.get('/', (request, response, next) => {
    if (Object.hasOwn(request.query, 's')) receive(request, response, next)
    else next()
  })
  router.get(
    '/open',
    route(engine, (request, response) => confirmPage(engine, request, response)),
  )
  router.post(
    '/open',
    form,
    route(engine, (request, response) => openLink(engine, request, response)),
  )
  router.post(
    '/logout',
    form,
    route(engine, (request, response) => logOut(engine, request, response)),
  )
  return router
}
