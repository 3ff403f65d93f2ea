import type { SettingsIdentity } from '../principal.js'
import type { LinkContent, SessionState, StoredSession } from './store.js'

/** A session as the scripts return it. */
export type SessionReply = readonly [
  id: string,
  state: string,
  content: string,
  identity: string,
  linkId: string,
  createdAt: string,
  expiresAt: string,
  lastSeenAt: string,
  verifiedMsAgo: string,
]

export function sessionFrom(reply: SessionReply): StoredSession {
  const [id, state, content, identity, linkId, createdAt, expiresAt, lastSeenAt, verifiedMsAgo] = reply
  return {
    ...(JSON.parse(content) as LinkContent),
    id,
    state: state as SessionState,
    identity: identity === '' ? undefined : (JSON.parse(identity) as SettingsIdentity),
    linkId: linkId === '' ? undefined : linkId,
    createdAt: Number(createdAt),
    expiresAt: Number(expiresAt),
    lastSeenAt: Number(lastSeenAt),
    verifiedMsAgo: Number(verifiedMsAgo),
  }
}
