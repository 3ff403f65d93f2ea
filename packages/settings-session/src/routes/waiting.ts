import { isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { wantsHtml } from '../pages/error-page.js'
import { pathTo } from '../site.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'
import { refuseFirst, settleIdentity } from './identity.js'
import { type Outcome, page, seeOther } from './outcome.js'
import { currentSession, withoutSession } from './session.js'
import { isReleasable } from './taken.js'

/** `GET /waiting`: the app asks in the chat whether this person may be the user. */
export async function waitForAnswer(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site } = context
  const current = await currentSession(context, request)
  if (isDenied(current)) return withoutSession(context, request, current)
  const { token, session } = current
  if (isWhole(session, true)) return seeOther(pathTo(site, ''))
  if (session.claim === undefined) return seeOther(pathTo(site, '/oauth/start'))
  if (isReleasable(session)) return seeOther(pathTo(site, '/oauth/start'))
  const { identity, answer } = session.claim
  // The page asks so; only its navigation takes the answer.
  if (!wantsHtml(request)) return { outcome: 'json', body: { waiting: answer === 'pending' } }
  if (answer === 'denied') return refuseFirst(context, request, response, session)
  if (answer === 'pending') {
    const goTo = pathTo(site, '/waiting')
    return page('interstitial', { goTo, text: 'waitChat', link: 'checkAgain', delaySeconds: 3 })
  }
  const proof = { session: token, identity, isAgain: false, mayEstablish: true, isAllowed: true }
  return settleIdentity(context, request, response, proof)
}
