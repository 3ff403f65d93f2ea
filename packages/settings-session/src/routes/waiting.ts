import type { Request, Response } from 'express'
import { type Engine, isWhole, pathTo } from '../engine.js'
import { sendPage } from '../pages/send-page.js'
import { refuse } from './answers.js'
import { refuseFirst, settleIdentity } from './identity.js'
import { goOn, readSession } from './session-response.js'

/** `GET /waiting`: the app asks in the chat whether this person may be the user. */
export async function waitForAnswer(engine: Engine, request: Request, response: Response): Promise<void> {
  const read = await readSession(engine, request)
  if (read === undefined) return refuse(engine, request, response, { reason: 'missing' })
  if (read.result.outcome === 'refused') return refuse(engine, request, response, { reason: read.result.reason })
  const { session } = read.result
  if (isWhole(engine, session)) return goOn(engine, response)
  if (session.claim === undefined) return goOn(engine, response, pathTo(engine, '/oauth/start'))
  const { identity, answer } = session.claim
  if (answer === 'denied') return refuseFirst(engine, request, response, session)
  if (answer === 'pending') {
    const text = 'Confirm in the chat that this is you. This page goes on by itself.'
    return sendPage(engine.options.pages, request, response, 'interstitial', {
      goTo: pathTo(engine, '/waiting'),
      text,
      link: 'Look again',
      delaySeconds: 3,
    })
  }
  await settleIdentity(engine, request, response, { session: read.token, identity, isAgain: false, mayEstablish: true })
}
