import type { SettingsIdentity } from '../../principal.js'
import type { HeldClaim, LinkContent, ReadResult, SessionRefusal, SessionState, StoredSession } from '../port.js'

/** A session as the scripts return it: lines, because one text is cheaper to read than eleven. No value holds a newline. */
export type SessionReply = string

type SessionLines = readonly [
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
]

/** The session of a reply. */
export function sessionFrom(reply: SessionReply): StoredSession {
  const [id, state, content, identity, linkId, createdAt, expiresAt, lastSeenAt, verifiedMsAgo, claimed, answer] =
    reply.split('\n') as unknown as SessionLines
  const { user, agentId, kind, metadata, returnTo } = JSON.parse(content) as LinkContent
  return {
    // One by one: a spread of what was parsed costs more than all the rest.
    user,
    agentId,
    kind,
    metadata,
    returnTo,
    id,
    state: state as SessionState,
    identity: identity === '' ? undefined : (JSON.parse(identity) as SettingsIdentity),
    claim:
      claimed === ''
        ? undefined
        : { identity: JSON.parse(claimed) as SettingsIdentity, answer: answer as HeldClaim['answer'] },
    linkId: linkId === '' ? undefined : linkId,
    createdAt: Number(createdAt),
    expiresAt: Number(expiresAt),
    lastSeenAt: Number(lastSeenAt),
    verifiedMsAgo: Number(verifiedMsAgo),
  }
}

/** An identity as it is stored and compared. */
export function identityText({ issuer, subject }: SettingsIdentity): string {
  return JSON.stringify({ issuer, subject })
}

/** The identity that was stored as a text. */
export function identityFrom(text: string | null): SettingsIdentity | undefined {
  return text === null ? undefined : (JSON.parse(text) as SettingsIdentity)
}

/** The result of a read. */
export function readFrom(reply: unknown): ReadResult {
  const [outcome, session] = reply as ['found', SessionReply] | [SessionRefusal, undefined]
  return session === undefined
    ? { outcome: 'refused', reason: outcome as SessionRefusal }
    : { outcome: 'found', session: sessionFrom(session) }
}
