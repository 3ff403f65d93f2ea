import type { SettingsUser } from '../../principal.js'
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

/** A session as the functions tell it. */
export type SessionInReply = readonly [
  id: string,
  state: SessionState,
  content: string,
  identity: string | null,
  linkId: string | null,
  createdAt: number,
  expiresAt: number,
  lastSeenAt: number,
  verifiedMsAgo: number,
  claimed: string | null,
  answer: HeldClaim['answer'] | null,
  isAllowed: boolean | null,
]

/** What a function answers. */
export interface FunctionReply {
  readonly outcome: string
  readonly lateMs?: number
  readonly session?: SessionInReply
  readonly isRepeat?: boolean
  readonly ended?: readonly EndedSession[]
}

/** The user that was stored as a text. */
export function userFrom(text: string): SettingsUser {
  const { platform, team, userId } = JSON.parse(text) as SettingsUser
  return { platform, team, userId }
}

/** The session of a reply. */
export function sessionInReply(reply: SessionInReply): StoredSession {
  const [
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
  ] = reply
  const { user, agentId, kind, metadata, display, returnTo } = JSON.parse(content) as LinkContent
  return {
    ...{ user, agentId, kind, metadata, display, returnTo, id, state, createdAt, expiresAt, lastSeenAt, verifiedMsAgo },
    identity: identity === null ? undefined : identityFrom(identity),
    claim:
      claimed === null || answer === null
        ? undefined
        : { identity: identityFrom(claimed), answer, isAllowed: allowed ?? undefined },
    linkId: linkId ?? undefined,
  }
}

/** A refusal. */
export function refusalInReply<R extends string>({ outcome, lateMs }: FunctionReply): StoreRefusal<R> {
  const reason = outcome as R
  return lateMs === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, lateMs }
}

/** The result of a read. */
export function readInReply(reply: FunctionReply): ReadResult {
  const { outcome, session } = reply
  if (outcome !== 'found' || session === undefined) return refusalInReply<SessionRefusal>(reply)
  return { outcome, session: sessionInReply(session) }
}
