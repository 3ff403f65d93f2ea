import { type AuditAttributes, denied, describeError, unavailable, unavailableBy } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { refuseTooMany } from '../attempts.js'
import { confirmBinding, restoreFormer, unlink } from '../bindings.js'
import { expireCookie } from '../cookies.js'
import { grantChange, reportChange } from '../events.js'
import type { FirstClaimAnswer } from '../oauth/first-claim.js'
import { principalId, principalOfSession, type SettingsIdentity } from '../principal.js'
import { pathTo, type Site } from '../site.js'
import { claimKey } from '../store/keys.js'
import type { FormerUser, StoredSession } from '../store/port.js'
import { mintToken, type Token, type TokenRef } from '../tokens.js'
import { refusedBy } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'
import type { Outcome, RouteDenied } from './outcome.js'
import { revokeSession, setSessionCookie, withoutSession } from './session.js'
import { releasePage } from './taken.js'
import { continueTo, welcome } from './welcome.js'

/** A person has proved an identity; whether it is that of the session's user is not settled yet. */
export interface Proof {
  readonly session: TokenRef
  readonly identity: SettingsIdentity
  /** The session was active before. */
  readonly isAgain: boolean
  readonly returnTo?: string | undefined
  /** The app, or its policy, allows a first claim. */
  readonly mayEstablish: boolean
  /** The app itself has allowed it. */
  readonly isAllowed?: boolean | undefined
  /** The person came without a link: an identity that is not bound any more opens nothing. */
  readonly by?: 'sign_in' | undefined
  /** The session was opened by this proof already: what was not recorded then is now. */
  readonly isRepeat?: boolean | undefined
  /** The session's next secret. Default: a random one. */
  readonly next?: Token | undefined
  /** From whom the identity was released for this. */
  readonly former?: FormerUser | undefined
}

/** Settles who the session's user is. */
export async function settleIdentity(
  context: RouteContext,
  request: Request,
  response: Response,
  proof: Proof,
): Promise<Outcome> {
  const { site, store, audit } = context
  const { session, identity, isAgain, isRepeat = false, returnTo, mayEstablish, isAllowed, former } = proof
  const token = proof.next ?? mintToken('s', session.tag)
  const claim = await store.claimIdentity({ session, newHash: token.hash, identity, mayEstablish, isAllowed })
  if (claim.outcome === 'contended') return unavailable('session_store')
  if (claim.outcome === 'refused') return withoutSession(context, request, refusedBy(claim))
  if (claim.outcome === 'taken') return refuseTaken(context, response, token, claim.session, identity)
  if (claim.outcome === 'mismatch') return refuseStranger(context, response, claim.session, identity)
  if (claim.outcome === 'unbound') return firstClaim(context, request, response, proof, claim.session)
  const { user, id } = claim.session
  const http = changedBy(context, request)
  if (claim.isFirst) {
    const attributes = {
      issuer: claim.session.identity?.issuer ?? '',
      ...(former === undefined ? {} : { from_user_key: former.key }),
    }
    const undo = async () => {
      // Bound by a request before, of which nobody knows whether it was recorded: then this session alone ends.
      if (await unlink(context, user, 'audit_sink', token.hash)) {
        return former && restoreFormer(context, user, identity, former)
      }
      await revokeSession(context, request, claim.session, 'audit_sink', { hash: token.hash })
    }
    await grantChange(audit, 'settings.identity.claimed', { user, id, http, attributes }, undo)
    await confirmBinding(store, user, { identity, attempt: token.hash })
  }
  if (!isAgain) return welcome(context, request, response, { token, isRepeat, by: proof.by, ...claim })
  const undo = () => revokeSession(context, request, claim.session, 'audit_sink', { hash: token.hash })
  await grantChange(audit, 'settings.session.reverified', { user, id, http }, undo)
  setSessionCookie(context, response, token)
  return continueTo(site, request, returnTo)
}

/** No identity is bound to the user yet: the app's policy decides whether this person may be. */
async function firstClaim(
  context: RouteContext,
  request: Request,
  response: Response,
  proof: Proof,
  session: StoredSession,
): Promise<Outcome> {
  const { site, store, provider, identities, audit } = context
  const allow = (isAllowed: boolean) =>
    settleIdentity(context, request, response, { ...proof, mayEstablish: true, isAllowed })
  if (proof.by === 'sign_in') return refuseFirst(context, request, response, session)
  // The platform itself vouched for the user: there was no link to steal.
  if (session.linkId === undefined) return allow(false)
  const { firstClaim: policy, onFirstClaim } = identities
  if (policy !== 'ask' || onFirstClaim === undefined) return refuseFirst(context, request, response, session)
  const tooMany = await refuseTooMany(store, 'sign_in_prompts', session.linkId)
  if (tooMany !== undefined) return tooMany
  const { identity } = proof
  const key = claimKey(identity)
  const held = await store.holdClaim(proof.session, identity, key)
  if (held.outcome === 'refused') return withoutSession(context, request, refusedBy(held))
  const { user, id } = session
  const http = changedBy(context, request)
  reportChange(audit, 'settings.identity.held', { user, id, http, attributes: { issuer: identity.issuer } })
  const principal = principalOfSession(session)
  let answer: FirstClaimAnswer
  try {
    answer = await onFirstClaim({
      claimId: `${session.id}.${key}`,
      principal,
      identity,
      provider: provider?.name ?? '',
    })
  } catch (error) {
    return unavailableBy(error, 'on_first_claim', { credential: { id: session.id }, principalId: principal.id })
  }
  if (answer === true) return allow(true)
  if (answer === false) return refuseFirst(context, request, response, session)
  return continueTo(site, request, pathTo(site, '/waiting'))
}

/** The person may not be the first: the session ends, the user can ask for another link. */
export async function refuseFirst(
  context: RouteContext,
  request: Request,
  response: Response,
  session: StoredSession,
): Promise<Outcome> {
  const { id, user } = session
  await revokeSession(context, request, session, 'first_claim_denied')
  forgetSession(context.site, response)
  const attributes = { first_claim: 'denied' }
  return denied('identity_mismatch', {
    detail: { principalId: principalId(user), credential: { id }, attributes },
  })
}

/** Somebody other than the user: everything that the link gave is gone. */
function refuseStranger(
  context: RouteContext,
  response: Response,
  session: StoredSession,
  identity: SettingsIdentity,
): RouteDenied {
  forgetSession(context.site, response)
  return mismatch(context, session, identity)
}

/** The identity is another user's. Whose it is may have been led to that by somebody's link, and can have it released. */
function refuseTaken(
  context: RouteContext,
  response: Response,
  token: Token,
  session: StoredSession,
  identity: SettingsIdentity,
): RouteDenied {
  setSessionCookie(context, response, token)
  expireCookie(response, context.site.cookies.open)
  const refusal = mismatch(context, session, identity, { cause: 'taken' })
  return { ...refusal, page: releasePage(context, token, session) }
}

/** The refusal of a person who is not the user; the user may be warned. */
function mismatch(
  { identities, audit }: RouteContext,
  session: StoredSession,
  identity: SettingsIdentity,
  more: AuditAttributes = {},
): RouteDenied {
  const { id, user, linkId } = session
  const principal = principalOfSession(session)
  const warnUser = async () => identities.onMismatch?.({ principal, identity })
  const reportFailure = (error: unknown) => {
    const attributes = describeError(error)
    reportChange(audit, 'settings.identity.mismatch', { user, outcome: 'error', reason: 'warning_failed', attributes })
  }
  // The refusal does not wait for the warning, nor fail with it.
  setImmediate(() => warnUser().catch(reportFailure))
  const attributes: AuditAttributes = { ...(linkId === undefined ? {} : { link: linkId }), ...more }
  const detail = { principalId: principal.id, credential: { id }, attributes }
  return { ...denied('identity_mismatch', { detail }), type: 'settings.identity.mismatch' }
}

function forgetSession({ cookies }: Site, response: Response): void {
  expireCookie(response, cookies.session)
  expireCookie(response, cookies.open)
}
