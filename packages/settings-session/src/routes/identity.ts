import type { Request, Response } from 'express'
import { expireCookie } from '../cookies.js'
import { type Engine, eventPrincipal, pathTo, principalOfSession } from '../engine.js'
import { claimKey, type SettingsIdentity } from '../principal.js'
import type { StoredSession } from '../stores/store.js'
import { mintToken, type TokenRef } from '../tokens.js'
import { answerUnavailable, refuse } from './answers.js'
import { continueTo, setSessionCookie, welcome } from './session-response.js'

/** Somebody proved who they are; whether that is the session's user is not settled yet. */
export interface Proof {
  readonly session: TokenRef
  readonly identity: SettingsIdentity
  /** The session was active before. */
  readonly isAgain: boolean
  readonly returnTo?: string
  /** The app, or its policy, allows a first claim. */
  readonly mayEstablish: boolean
}

/** Settles who the session's user is, and answers. */
export async function settleIdentity(
  engine: Engine,
  request: Request,
  response: Response,
  proof: Proof,
): Promise<void> {
  const { session, identity, isAgain, returnTo, mayEstablish } = proof
  const token = mintToken('s', session.tag)
  const claim = await engine.options.store.claimIdentity({ session, newHash: token.hash, identity, mayEstablish })
  if (claim.outcome === 'contended') return answerUnavailable(engine, request, response, 'session_store')
  if (claim.outcome === 'refused') return refuse(engine, request, response, { reason: claim.reason })
  if (claim.outcome === 'mismatch') return refuseStranger(engine, request, response, claim.session, identity)
  if (claim.outcome === 'unbound') return firstClaim(engine, request, response, proof, claim.session)
  if (claim.isFirst) emitClaimed(engine, claim.session)
  if (!isAgain) return welcome(engine, request, response, token, { session: claim.session, isRepeat: false })
  setSessionCookie(engine, response, token)
  continueTo(engine, request, response, returnTo)
}

function emitClaimed(engine: Engine, session: StoredSession): void {
  engine.emit({
    type: 'settings.identity.claimed',
    owasp: 'user_updated',
    principal: eventPrincipal(session),
    credential: { id: session.id },
    attributes: { issuer: session.identity?.issuer ?? '' },
  })
}

/** Nobody is bound to the user yet: the app's policy decides whether this one may be. */
async function firstClaim(
  engine: Engine,
  request: Request,
  response: Response,
  proof: Proof,
  session: StoredSession,
): Promise<void> {
  const { store, firstClaim: policy, onFirstClaim } = engine.options
  // The platform itself vouched for the user: there was no link to steal.
  const isVouched = session.linkId === undefined
  if (isVouched) return settleIdentity(engine, request, response, { ...proof, mayEstablish: true })
  if (policy !== 'ask' || onFirstClaim === undefined) return refuseFirst(engine, request, response, session)
  const { identity } = proof
  const key = claimKey(identity)
  const held = await store.holdClaim(proof.session, identity, key)
  if (held.outcome === 'refused') return refuse(engine, request, response, { reason: held.reason })
  const answer = await onFirstClaim({
    claimId: `${session.id}.${key}`,
    principal: principalOfSession(session),
    identity,
    provider: engine.provider?.name ?? '',
  })
  if (answer === true) return settleIdentity(engine, request, response, { ...proof, mayEstablish: true })
  if (answer === false) return refuseFirst(engine, request, response, session)
  continueTo(engine, request, response, pathTo(engine, '/waiting'))
}

/** The person may not be the first: the session ends, the user can ask for another link. */
export async function refuseFirst(
  engine: Engine,
  request: Request,
  response: Response,
  session: StoredSession,
): Promise<void> {
  await engine.options.store.revoke(session.id)
  expireCookie(response, engine.cookies.session)
  expireCookie(response, engine.cookies.open)
  const event = {
    principal: eventPrincipal(session),
    credential: { id: session.id },
    attributes: { first_claim: 'denied' },
  }
  refuse(engine, request, response, { reason: 'identity_mismatch', event })
}

/** Somebody else than the user: everything that the link gave is gone, and the user may be warned. */
function refuseStranger(
  engine: Engine,
  request: Request,
  response: Response,
  session: StoredSession,
  identity: SettingsIdentity,
): void {
  expireCookie(response, engine.cookies.session)
  expireCookie(response, engine.cookies.open)
  const event = {
    type: 'settings.identity.mismatch' as const,
    principal: eventPrincipal(session),
    credential: { id: session.id },
    attributes: { ...(session.linkId === undefined ? {} : { link: session.linkId }) },
  }
  refuse(engine, request, response, { reason: 'identity_mismatch', event })
  const { onMismatch } = engine.options
  if (onMismatch === undefined) return
  // The refusal does not wait for the warning, nor fail with it.
  const warn = async () => onMismatch({ principal: principalOfSession(session), identity })
  warn().catch((error: unknown) => {
    engine.emit({
      type: 'settings.identity.mismatch',
      outcome: 'error',
      reason: 'warning_failed',
      principal: eventPrincipal(session),
      attributes: { error: error instanceof Error ? error.name : typeof error },
    })
  })
}
