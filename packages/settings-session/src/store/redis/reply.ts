import type { SettingsIdentity } from '../../principal.js'
import { identityFrom } from '../keys.js'
import type {
  EndedSession,
  HeldClaim,
  LinkContent,
  ReadResult,
  SessionRefusal,
  SessionState,
  StoredSession,
  StoreRefusal,
} from '../port.js'

/** A session as the scripts return it: lines, because one text is cheaper to read than twelve. No value holds a newline. */
export type SessionReply = string

/** The lines of a {@link SessionReply}. */
export type SessionLines = readonly [
  id: string,
  state: string,
  content: string,
  identity: string,
  linkId: string,
  createdAt: string,
  expiresAt: string,
  lastSeenAt: string,
  verifiedMsAgo: string,
  claimed: string,
  answer: string,
  allowed: string,
]

/** The session of a reply. */
export function sessionFrom(reply: SessionReply): StoredSession {
  return sessionOf(reply.split('\n') as unknown as SessionLines)
}

/** The session of its lines. */
export function sessionOf([
  id,
  state,
  content,
  identity,
  linkId,
  createdAt,
  expiresAt,
  lastSeenAt,
  verifiedMsAgo,
  claimed,
  answer,
  allowed,
]: SessionLines): StoredSession {
  const { user, agentId, kind, metadata, display, returnTo } = JSON.parse(content) as LinkContent
  return {
    // One by one: a spread of what was parsed costs more than all the rest.
    user,
    agentId,
    kind,
    metadata,
    display,
    returnTo,
    id,
    state: state as SessionState,
    identity: identity === '' ? undefined : (JSON.parse(identity) as SettingsIdentity),
    claim: claimed === '' ? undefined : claimFrom(claimed, answer, allowed),
    linkId: linkId === '' ? undefined : linkId,
    createdAt: Number(createdAt),
    expiresAt: Number(expiresAt),
    lastSeenAt: Number(lastSeenAt),
    verifiedMsAgo: Number(verifiedMsAgo),
  }
}

function claimFrom(identity: string, answer: string, allowed: string): HeldClaim {
  const claim = { identity: identityFrom(identity), answer: answer as HeldClaim['answer'] }
  return allowed === '' ? claim : { ...claim, isAllowed: true }
}

/** A refusal: the reason, and for how many milliseconds it has been late. */
export function refusedFrom<R extends string>(reply: unknown): StoreRefusal<R> {
  const [reason, lateMs] = reply as readonly [R, unknown]
  // A client with stringNumbers gives a text.
  return lateMs === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, lateMs: Number(lateMs) }
}

/** The sessions that a script ended: id and cause, in turn. */
export function endedFrom(reply: unknown): readonly EndedSession[] {
  const flat = reply as readonly string[]
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    id: flat[2 * index] as string,
    cause: flat[2 * index + 1] as EndedSession['cause'],
  }))
}

/** The result of a read. */
export function readFrom(reply: unknown): ReadResult {
  const [outcome, session] = reply as readonly [string, SessionReply]
  return outcome === 'found' ? { outcome, session: sessionFrom(session) } : refusedFrom<SessionRefusal>(reply)
}
