import { UnavailableError } from '@countersign/core'
import type { SettingsIdentity, SettingsUser } from '../../principal.js'
import type { TokenRef } from '../../tokens.js'
import { claimKey, identityKey, userKey } from '../keys.js'
import type {
  Binding,
  ClaimResult,
  FormerUser,
  FreeResult,
  IdentityClaim,
  IdentityStore,
  SessionStore,
} from '../port.js'
import { MAX_DATA_SESSIONS } from '../rules.js'
import {
  ageOf,
  type BindingRow,
  endAll,
  endSession,
  enterSession,
  isReleasing,
  type MemoryState,
  ownCopy,
  refusalOf,
  refused,
  spendLink,
  viewOf,
} from './state.js'

const copyOf = ({ tag, hash }: TokenRef): TokenRef => ({ tag: ownCopy(tag), hash })
const isSame = (a: SettingsIdentity, b: SettingsIdentity) => a.issuer === b.issuer && a.subject === b.subject

/** Enters a binding of a user who has none. */
export function enterBinding(state: MemoryState, user: SettingsUser, binding: BindingRow): void {
  const key = userKey(user)
  state.identities.set(key, binding)
  state.boundUsers.set(identityKey(binding.identity, user), key)
  const { platform, team, userId } = user
  const all = state.usersOf.get(claimKey(binding.identity)) ?? new Map()
  state.usersOf.set(claimKey(binding.identity), all.set(key, { platform, team, userId }))
}

/** The part of the memory store that keeps identities. */
export function memoryIdentities(
  state: MemoryState,
  maxEntries: number,
): IdentityStore & Pick<SessionStore, 'revokeAll'> {
  const { clock, sessions, identities, usersOf, barred, signIns, uses, boundUsers: users } = state
  const full = () => new UnavailableError('session_store', `the memory store holds ${maxEntries} entries`)

  function bind(user: SettingsUser, binding: Binding): void {
    if (identities.size >= maxEntries && !identities.has(userKey(user))) throw full()
    unbind(user)
    enterBinding(state, user, binding)
  }

  function unbind(user: SettingsUser): SettingsIdentity | undefined {
    const old = identities.get(userKey(user))?.identity
    if (old === undefined) return undefined
    identities.delete(userKey(user))
    users.delete(identityKey(old, user))
    barred.delete(userKey(user))
    const all = usersOf.get(claimKey(old))
    all?.delete(userKey(user))
    if (all?.size === 0) usersOf.delete(claimKey(old))
    return old
  }

  return {
    claimIdentity({ session, newHash, identity, mayEstablish, isAllowed }: IdentityClaim): ClaimResult {
      const row = sessions.get(session.tag)
      const reason = refusalOf(state, row, session.hash)
      if (row === undefined || reason !== undefined) return refused(state, row, reason ?? 'unknown')
      const { user } = row.owner
      const held = row.proof?.claim
      if (held?.answer === 'taken' || (held?.answer === 'released' && !isSame(held.identity, identity))) {
        return refused(state, row, 'revoked')
      }
      const binding = identities.get(userKey(user))
      const bound = binding?.identity
      const owner = users.get(identityKey(identity, user)) ?? userKey(user)
      if (bound === undefined && !mayEstablish) return { outcome: 'unbound', session: viewOf(state, row) }
      if (bound === undefined && owner !== userKey(user) && row.state === 'awaiting_identity') {
        row.hash = newHash
        row.verifiedMs = ageOf(state, row)
        row.seenMs = row.verifiedMs
        row.proof = { claim: { identity, answer: 'taken', isAllowed }, holder: owner }
        spendLink(state, row)
        return { outcome: 'taken', session: viewOf(state, row) }
      }
      if (owner !== userKey(user) || (bound !== undefined && !isSame(bound, identity))) {
        const stranger = viewOf(state, row)
        endSession(state, row)
        spendLink(state, row)
        return { outcome: 'mismatch', session: stranger }
      }
      if (bound === undefined) bind(user, { identity, attempt: newHash })
      barred.delete(userKey(user))
      const wasActive = row.state === 'active'
      const isRepeat = row.hash === newHash
      row.hash = newHash
      row.state = 'active'
      row.seenMs = ageOf(state, row)
      if (!isRepeat) row.verifiedMs = row.seenMs
      row.proof = { identity }
      spendLink(state, row)
      const ended = wasActive ? [] : enterSession(state, row)
      return { outcome: 'activated', session: viewOf(state, row), isFirst: binding?.isRecorded !== true, ended }
    },
    confirmBinding(user, { identity, attempt }) {
      const bound = identities.get(userKey(user))
      if (bound === undefined || !isSame(bound.identity, identity)) return
      identities.set(userKey(user), { identity, attempt, isRecorded: true })
    },
    holdClaim({ tag, hash }, identity, key) {
      const row = sessions.get(tag)
      const reason = refusalOf(state, row, hash)
      if (row === undefined || reason !== undefined) return refused(state, row, reason ?? 'unknown')
      if (isReleasing(row)) return refused(state, row, 'revoked')
      row.proof = { ...row.proof, claim: { identity, answer: 'pending' }, claimKey: key }
      return { outcome: 'found', session: viewOf(state, row) }
    },
    answerClaim(sessionId, key, isAllowed) {
      const row = sessions.get(sessionId)
      if (row === undefined || refusalOf(state, row, row.hash) !== undefined) return false
      const { proof } = row
      if (proof?.claim?.answer !== 'pending' || proof.claimKey !== key) return false
      row.proof = { ...proof, claim: { ...proof.claim, answer: isAllowed ? 'allowed' : 'denied' } }
      return true
    },
    returningUsers: (identity) =>
      Array.from(usersOf.get(claimKey(identity)) ?? []).flatMap(([key, user]) => (barred.has(key) ? [] : [user])),
    revokeAll(user) {
      endAll(state, user)
      if (identities.has(userKey(user))) barred.add(userKey(user))
    },
    identityOf: (user) => identities.get(userKey(user))?.identity,
    unlink(user, attempt) {
      if (attempt !== undefined && identities.get(userKey(user))?.attempt !== attempt) return undefined
      const old = unbind(user)
      if (old !== undefined) endAll(state, user)
      return old
    },
    rebind(user, binding, replaced) {
      const owner = users.get(identityKey(binding.identity, user))
      if (owner !== undefined && owner !== userKey(user)) return { outcome: 'taken' }
      const bound = identities.get(userKey(user))
      const former = bound && { identity: bound.identity, attempt: bound.attempt }
      if (replaced !== undefined && former?.attempt !== replaced) return { outcome: 'contended' }
      bind(user, binding)
      endAll(state, user)
      return { outcome: 'bound', former }
    },
    freeIdentity({ tag, hash }): FreeResult {
      const row = sessions.get(tag)
      const reason = refusalOf(state, row, hash)
      if (row === undefined || reason !== undefined) return refused(state, row, reason ?? 'unknown')
      const { claim, holder = '', former } = row.proof ?? {}
      if (claim === undefined || !isReleasing(row)) return refused(state, row, 'revoked')
      const { identity } = claim
      const { user: by } = row.owner
      row.proof = { claim: { ...claim, answer: 'released' }, holder, former }
      const session = viewOf(state, row)
      const user = usersOf.get(claimKey(identity))?.get(holder)
      const { attempt } = identities.get(holder) ?? {}
      if (user === undefined || attempt === undefined || identities.has(userKey(by))) {
        return { outcome: 'freed', session, former }
      }
      unbind(user)
      endAll(state, user)
      const released = { key: holder, user, attempt, session: row.key }
      row.proof = { ...row.proof, former: released }
      return { outcome: 'freed', session, former: released }
    },
    restoreIdentity(by, identity, { key, user, attempt, session }: FormerUser) {
      if (user === undefined || identities.has(key) || users.has(identityKey(identity, by))) return false
      bind(user, { identity, attempt })
      barred.add(key)
      const row = sessions.get(session)
      if (row?.proof !== undefined) row.proof = { ...row.proof, former: undefined }
      return true
    },
    beginOAuth(signIn) {
      if (
        !signIns.set(
          ownCopy(signIn.ref.tag),
          { ...signIn, session: copyOf(signIn.session) },
          clock.now() + signIn.ttlMs,
        )
      )
        throw full()
    },
    takeOAuth({ tag, hash }) {
      const signIn = signIns.get(tag)
      if (signIn?.ref.hash !== hash) return undefined
      signIns.delete(tag)
      const { session, isAgain, returnTo } = signIn
      return returnTo === undefined ? { session, isAgain } : { session, isAgain, returnTo }
    },
    useInitData(hash, device, ttlMs, ended) {
      const first = uses.get(hash)
      if (first === undefined) {
        if (!uses.set(hash, { device: ownCopy(device), session: 0 }, clock.now() + ttlMs)) throw full()
        return 0
      }
      if (first.device !== device) return 'replayed'
      if (first.session === ended) first.session += 1
      return first.session < MAX_DATA_SESSIONS ? first.session : 'replayed'
    },
  }
}
