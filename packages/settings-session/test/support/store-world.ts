import { partitionOf } from '@countersign/core/gate-kit'
import type { SettingsIdentity, SettingsUser } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { userKey } from '../../src/store/keys.js'
import { mintTag, mintToken, type Token } from '../../src/tokens.js'

export const LIMITS = { idleMs: 60_000, absoluteMs: 120_000, maxSessions: 3 }

let users = 0
/** A user that no other test has. */
export const newUser = (rest: Partial<SettingsUser> = {}): SettingsUser => ({
  platform: 'slack',
  userId: `u${users++}`,
  ...rest,
})

let subjectNumber = 0
export const newIdentity = (): SettingsIdentity => ({
  issuer: 'https://id.example.com',
  subject: `s${subjectNumber++}`,
})

const newLinkToken = (user: SettingsUser): Token => mintToken('l', mintTag(partitionOf(userKey(user))))
/** A session's token in the partition of another token or of a user. */
export const newSessionToken = (near: Token | SettingsUser): Token =>
  mintToken('s', 'tag' in near ? near.tag.charAt(0) + mintTag(0).slice(1) : mintTag(partitionOf(userKey(near))))

export async function issue(
  store: SettingsStore,
  user: SettingsUser,
  more: { ttlMs?: number; codeHash?: string } = {},
) {
  const ref = newLinkToken(user)
  await store.issueLink({ ref, content: { user, kind: 'settings' }, ttlMs: 60_000, epochTtlMs: 180_000, ...more })
  return ref
}

export interface Opening {
  readonly session?: Token
  readonly attempt?: string
  readonly state?: 'active' | 'awaiting_identity'
  readonly codeHash?: string
  readonly limits?: typeof LIMITS
}

let attempts = 0
/** Exchanges a link from a browser of its own. */
export async function open(store: SettingsStore, link: Token, opening: Opening = {}) {
  const {
    session = newSessionToken(link),
    attempt = `attempt${attempts++}`,
    state = 'active',
    limits = LIMITS,
  } = opening
  const result = await store.exchange({ link, session, attempt, state, limits, codeHash: opening.codeHash })
  return { session, attempt, result, outcome: result.outcome === 'opened' ? 'opened' : result.reason }
}

export async function opened(store: SettingsStore, user: SettingsUser, opening: Opening = {}) {
  const link = await issue(store, user)
  return { link, ...(await open(store, link, opening)) }
}

/** `found`, or why not. */
export async function look(store: SettingsStore, session: Token): Promise<string> {
  const result = await store.read(session)
  return result.outcome === 'found' ? 'found' : result.reason
}

export async function peek(store: SettingsStore, link: Token): Promise<string> {
  const result = await store.peekLink(link)
  return result.outcome === 'open' ? 'open' : result.reason
}

/** Claims an identity for a session, with a new secret. */
export async function claim(store: SettingsStore, session: Token, identity: SettingsIdentity, mayEstablish = true) {
  const rotated = mintToken('s', session.tag)
  const result = await store.claimIdentity({ session, newHash: rotated.hash, identity, mayEstablish })
  return { rotated, result, outcome: result.outcome === 'refused' ? result.reason : result.outcome }
}

/** Binds a user to an identity, in an attempt of its own; `replaced` is the attempt that must have bound what stands. */
export async function rebind(store: SettingsStore, user: SettingsUser, identity: SettingsIdentity, replaced?: string) {
  return store.rebind(user, { identity, attempt: `attempt${attempts++}` }, replaced)
}
