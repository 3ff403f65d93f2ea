import { denied, isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { restoreFormer } from '../bindings.js'
import { tokenInCookie } from '../cookies.js'
import { carriesToken, csrfTokenOf, isOwnRequest, isPlainText } from '../csrf.js'
import { grantChange, reportChange } from '../events.js'
import type { IdentityPolicy } from '../oauth/first-claim.js'
import { closeSocketsOf } from '../session-watch.js'
import type { StoredSession } from '../store/port.js'
import { REPEAT_MS } from '../store/rules.js'
import { deriveSecret, mintToken, type Token } from '../tokens.js'
import { isWhole, refusedBy } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'
import { refuseFirst, settleIdentity } from './identity.js'
import type { Outcome } from './outcome.js'
import { type CurrentSession, currentSession, withoutSession } from './session.js'
import { isReleasable, releasePage } from './taken.js'
import { continueTo } from './welcome.js'

/**
 * `POST /oauth/release`: takes the identity that the session's person has proved from the other user who has it, and binds it
 * to the session's user. Only who just signed in with it, in this browser, gets here; the policy for first claims was asked
 * before.
 */
export async function releaseIdentity(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site, store, sockets, audit, identities } = context
  const token = tokenInCookie(request, site.cookies.session, 's')
  if (isPlainText(request) || !isOwnRequest(request, site.origin, token?.text)) return denied('cross_site')
  if (token === undefined) return withoutSession(context, request, denied('missing'))
  const current = await currentSession(context, request)
  if (!isDenied(current) && isWhole(current.session, true)) return continueTo(site, request)
  // The page of one session named another user than this one is for: the browser has opened another link since.
  const isOwnForm = carriesToken(request, csrfTokenOf(token.text))
  if (isDenied(current)) {
    const done = isOwnForm ? await repeated(context, request, response, token) : undefined
    return done ?? withoutSession(context, request, current)
  }
  if (!isOwnForm || !isReleasable(current.session)) return refuseForm(context, request, current)
  if (!mayBeFirst(identities, current.session)) return refuseFirst(context, request, response, current.session)
  const freed = await store.freeIdentity(token)
  if (freed.outcome === 'refused') {
    return (await repeated(context, request, response, token)) ?? withoutSession(context, request, refusedBy(freed))
  }
  const { session, former } = freed
  const identity = session.claim?.identity
  if (identity === undefined) return withoutSession(context, request, denied('revoked'))
  if (former !== undefined) {
    closeSocketsOf(sockets, former.key)
    const change = { user: former.user, http: changedBy(context, request) }
    const attributes = { issuer: identity.issuer, by: 'owner', user_key: former.key }
    const undo = () => restoreFormer(context, session.user, identity, former)
    const recording = grantChange(audit, 'settings.identity.unlinked', { ...change, attributes }, undo)
    const ended = { all: true, cause: 'unlinked', user_key: former.key }
    reportChange(audit, 'settings.session.revoked', { ...change, attributes: ended })
    await recording
  }
  const { isAllowed } = session.claim ?? {}
  const proof = { session: token, identity, isAgain: false, mayEstablish: true, isAllowed, next: nextOf(token), former }
  const outcome = await settleIdentity(context, request, response, proof)
  return outcome.outcome === 'denied' ? ((await repeated(context, request, response, token)) ?? outcome) : outcome
}

/** A form of another session does nothing; where this one has such a page, the person sees that. */
function refuseForm(context: RouteContext, request: Request, { token, session }: CurrentSession): Outcome {
  if (isReleasable(session)) return releasePage(context, token, session)
  return withoutSession(context, request, denied('revoked'))
}

/** The process that proved the identity may have had a laxer policy than this one. The app is not asked twice. */
function mayBeFirst({ firstClaim }: IdentityPolicy, { linkId, claim }: StoredSession): boolean {
  if (linkId === undefined || firstClaim === 'trust-link') return true
  return firstClaim === 'ask' && claim?.isAllowed === true
}

/** The session's next secret. Not a random one: the second click of the same browser must find the session of the first. */
function nextOf({ text, tag }: Token): Token {
  return mintToken('s', tag, deriveSecret(text, 'release'))
}

/** A double click, or the answer to the first one was lost, and with it its record: what is not recorded yet is. */
async function repeated(
  context: RouteContext,
  request: Request,
  response: Response,
  token: Token,
): Promise<Outcome | undefined> {
  const next = nextOf(token)
  const found = await context.store.read(next)
  if (found.outcome === 'refused' || !isWhole(found.session, true)) return undefined
  const { identity, verifiedMsAgo } = found.session
  if (identity === undefined || verifiedMsAgo >= REPEAT_MS) return undefined
  const proof = { session: next, next, identity, isAgain: false, isRepeat: true, mayEstablish: false }
  return settleIdentity(context, request, response, proof)
}
