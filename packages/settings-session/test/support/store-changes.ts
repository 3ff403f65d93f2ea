import type { SettingsIdentity, SettingsUser } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { mintTag, mintToken, type Token } from '../../src/tokens.js'
import { claim, issue, LIMITS, newIdentity, newSessionToken, newUser, open, opened, rebind } from './store-world.js'

const awaiting = { state: 'awaiting_identity' } as const

/** A change of state: what it needs is prepared in a healthy store, then it is made in the store under test. */
export interface StoreChange {
  readonly title: string
  /** Its outcome when nothing goes wrong. */
  readonly outcome: string
  prepare(healthy: SettingsStore): Promise<(store: SettingsStore) => Promise<unknown>>
}

const isSome = (value: unknown) => (value === undefined ? 'nothing' : 'done')

async function person(healthy: SettingsStore) {
  const user = newUser()
  const { session, link } = await opened(healthy, user, awaiting)
  return { user, session, link, identity: newIdentity() }
}

async function bound(
  healthy: SettingsStore,
): Promise<{ readonly user: SettingsUser; readonly identity: SettingsIdentity }> {
  const { user, identity } = { user: newUser(), identity: newIdentity() }
  await rebind(healthy, user, identity)
  await healthy.confirmBinding(user, { identity, attempt: 'confirmed' })
  return { user, identity }
}

/** A session whose identity is another user's. */
async function taken(healthy: SettingsStore) {
  const { identity } = await bound(healthy)
  const { session, user } = await person(healthy)
  const { rotated } = await claim(healthy, session, identity)
  return { user, identity, session: rotated }
}

/** Every change of state that a store makes, with each of the ways in which it makes it. */
export const storeChanges: readonly StoreChange[] = [
  {
    title: 'issuing a link',
    outcome: 'number',
    prepare: async () => async (store) => {
      const ref = mintToken('l', mintTag(0))
      const content = { user: newUser(), kind: 'settings' }
      return typeof (await store.issueLink({ ref, content, ttlMs: 60_000, epochTtlMs: 180_000 })).expiresAt
    },
  },
  {
    title: 'opening a link',
    outcome: 'opened',
    prepare: async (healthy) => {
      const link = await issue(healthy, newUser())
      return async (store) => (await open(store, link)).outcome
    },
  },
  {
    title: 'opening a link once more than there may be sessions',
    outcome: 'opened, fresh, max_sessions',
    prepare: async (healthy) => {
      const user = newUser()
      for (let count = 0; count < LIMITS.maxSessions; count += 1) await opened(healthy, user)
      const link = await issue(healthy, user)
      return (store) => opening(store, link, 'active')
    },
  },
  {
    title: 'opening a link that another browser holds',
    outcome: 'opened, fresh, link_opened_again',
    prepare: async (healthy) => {
      const { link } = await person(healthy)
      return (store) => opening(store, link, 'awaiting_identity')
    },
  },
  {
    title: 'voiding a link',
    outcome: 'true',
    prepare: async (healthy) => {
      const { link } = await person(healthy)
      return async (store) => String(await store.voidLink(link))
    },
  },
  {
    title: 'wrong digits',
    outcome: 'wrong_code',
    prepare: async (healthy) => {
      const link = await issue(healthy, newUser(), { codeHash: 'right' })
      return async (store) => (await open(store, link, { codeHash: 'wrong' })).outcome
    },
  },
  {
    title: 'wrong digits that void the link',
    outcome: 'voided',
    prepare: async (healthy) => {
      const link = await issue(healthy, newUser(), { codeHash: 'right' })
      for (let count = 0; count < 4; count += 1) await open(healthy, link, { codeHash: 'wrong' })
      return async (store) => {
        const { result } = await open(store, link, { codeHash: 'wrong' })
        return result.outcome === 'refused' && result.isVoided ? 'voided' : 'something else'
      }
    },
  },
  {
    title: 'opening a session without a link',
    outcome: 'found',
    prepare: async () => async (store) => {
      const user = newUser()
      const content = { user, kind: 'settings' }
      return (await store.openSession({ ref: newSessionToken(user), content, state: 'active', limits: LIMITS })).outcome
    },
  },
  {
    title: 'ending a session by its secret, as a logout does',
    outcome: 'done',
    prepare: async (healthy) => {
      const { session } = await person(healthy)
      return async (store) => isSome(await store.revoke(session.tag, session.hash))
    },
  },
  {
    title: 'ending a session and freeing its link',
    outcome: 'done',
    prepare: async (healthy) => {
      const { session } = await opened(healthy, newUser())
      return async (store) => isSome(await store.revoke(session.tag, session.hash, { freesLink: true }))
    },
  },
  {
    title: 'ending all sessions of a user',
    outcome: 'nothing',
    prepare: async (healthy) => {
      const { user } = await person(healthy)
      return async (store) => isSome(await store.revokeAll(user))
    },
  },
  {
    title: 'a first claim',
    outcome: 'activated, first',
    prepare: async (healthy) => {
      const { session, identity } = await person(healthy)
      return (store) => claiming(store, session, identity)
    },
  },
  {
    title: 'a later claim',
    outcome: 'activated',
    prepare: async (healthy) => {
      const { user, identity } = await bound(healthy)
      const { session } = await opened(healthy, user, awaiting)
      return (store) => claiming(store, session, identity)
    },
  },
  {
    title: 'a claim of another identity than the bound one',
    outcome: 'mismatch',
    prepare: async (healthy) => {
      const { session } = await opened(healthy, (await bound(healthy)).user, awaiting)
      return (store) => claiming(store, session, newIdentity())
    },
  },
  {
    title: "a claim of another user's identity",
    outcome: 'taken',
    prepare: async (healthy) => {
      const { identity } = await bound(healthy)
      const { session } = await person(healthy)
      return (store) => claiming(store, session, identity)
    },
  },
  {
    title: "a claim of another user's identity by an active session",
    outcome: 'mismatch',
    prepare: async (healthy) => {
      const { identity } = await bound(healthy)
      const { session } = await opened(healthy, newUser())
      return (store) => claiming(store, session, identity)
    },
  },
  {
    title: 'releasing an identity from another user',
    outcome: 'freed, activated',
    prepare: async (healthy) => {
      const { identity, session } = await taken(healthy)
      return async (store) => {
        const freed = await store.freeIdentity(session)
        const had = freed.outcome === 'freed' && freed.former !== undefined
        return `${had ? 'freed' : 'nothing'}, ${(await claim(store, session, identity)).outcome}`
      }
    },
  },
  {
    title: 'binding an identity again to whom it was released from',
    outcome: 'true',
    prepare: async (healthy) => {
      const { user, identity, session } = await taken(healthy)
      const freed = await healthy.freeIdentity(session)
      const former = freed.outcome === 'freed' ? freed.former : undefined
      return async (store) => String(former && (await store.restoreIdentity(user, identity, former)))
    },
  },
  {
    title: 'binding a user',
    outcome: 'bound',
    prepare: async () => {
      const [user, identity] = [newUser(), newIdentity()]
      return async (store) => (await rebind(store, user, identity)).outcome
    },
  },
  {
    title: 'binding a user to another identity',
    outcome: 'bound, in place of the one before',
    prepare: async (healthy) => {
      const { user, identity } = await bound(healthy)
      return async (store) => {
        const result = await rebind(store, user, newIdentity())
        const isFormer = result.outcome === 'bound' && result.former?.identity.subject === identity.subject
        return `${result.outcome}${isFormer ? ', in place of the one before' : ''}`
      }
    },
  },
  {
    title: 'confirming that a binding is recorded',
    outcome: 'activated',
    prepare: async (healthy) => {
      const { user, identity } = { user: newUser(), identity: newIdentity() }
      await rebind(healthy, user, identity)
      const { session } = await opened(healthy, user, awaiting)
      return async (store) => {
        await store.confirmBinding(user, { identity, attempt: 'confirmed' })
        return claiming(store, session, identity)
      }
    },
  },
  {
    title: 'unlinking',
    outcome: 'done',
    prepare: async (healthy) => {
      const { user } = await bound(healthy)
      return async (store) => isSome(await store.unlink(user))
    },
  },
  {
    title: 'holding a first claim',
    outcome: 'found',
    prepare: async (healthy) => {
      const { session, identity } = await person(healthy)
      return async (store) => (await store.holdClaim(session, identity, 'key')).outcome
    },
  },
  {
    title: 'answering a held claim',
    outcome: 'true',
    prepare: async (healthy) => {
      const { session, identity } = await person(healthy)
      await healthy.holdClaim(session, identity, 'key')
      return async (store) => String(await store.answerClaim(session.tag, 'key', true))
    },
  },
  {
    title: 'beginning a sign-in',
    outcome: 'nothing',
    prepare: async (healthy) => {
      const { session } = await person(healthy)
      const ref = mintToken('t', mintTag(0))
      return async (store) => isSome(await store.beginOAuth({ ref, session, isAgain: false, ttlMs: 60_000 }))
    },
  },
  {
    title: 'taking a sign-in',
    outcome: 'done',
    prepare: async (healthy) => {
      const { session } = await person(healthy)
      const ref = mintToken('t', mintTag(0))
      await healthy.beginOAuth({ ref, session, isAgain: false, ttlMs: 60_000 })
      return async (store) => isSome(await store.takeOAuth(ref))
    },
  },
  {
    title: "using a platform's signed data",
    outcome: '1',
    prepare: async (healthy) => {
      const { hash } = mintToken('d', mintTag(0))
      await healthy.useInitData(hash, 'device', 60_000)
      return async (store) => String(await store.useInitData(hash, 'device', 60_000, 0))
    },
  },
  {
    title: 'counting an attempt',
    outcome: '0',
    prepare: async () => {
      const name = mintTag(0)
      return async (store) => String(await store.countAttempt(name, 1, 60_000))
    },
  },
]

async function opening(store: SettingsStore, link: Token, state: 'active' | 'awaiting_identity'): Promise<string> {
  const { result } = await open(store, link, { state })
  if (result.outcome !== 'opened') return result.reason
  return ['opened', result.isRepeat ? 'repeated' : 'fresh', ...(result.ended ?? []).map(({ cause }) => cause)].join(
    ', ',
  )
}

async function claiming(store: SettingsStore, session: Token, identity: SettingsIdentity): Promise<string> {
  const { result, outcome } = await claim(store, session, identity)
  return result.outcome === 'activated' && result.isFirst ? `${outcome}, first` : outcome
}
