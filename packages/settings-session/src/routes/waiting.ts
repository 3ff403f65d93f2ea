import { isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { pathTo } from '../site.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'
import { refuseFirst, settleIdentity } from './identity.js'
import { type Outcome, page, seeOther } from './outcome.js'
import { currentSession, withoutSession } from './session.js'

/** `GET /waiting`: the app asks in the chat whether this person may be the user. */
export async function waitForAnswer(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site } = context
  const current = await currentSession(context, request)
  if (isDenied(current)) return withoutSession(context, request, current)
  const { token, session } = current
  if (isWhole(session, true)) return seeOther(pathTo(site, ''))
  if (session.claim === undefined) return seeOther(pathTo(site, '/oauth/start'))
  const { identity, answer } = session.claim
  if (answer === 'denied') return refuseFirst(context, request, response, session)
  if (answer === 'pending') {
    const text = 'Confirm in the chat that this is you. This page continues by itself.'
    return page('interstitial', { goTo: pathTo(site, '/waiting'), text, link: 'Check again', delaySeconds: 3 })
  }
  return settleIdentity(context, request, response, { session: token, identity, isAgain: false, mayEstablish: true })
}
