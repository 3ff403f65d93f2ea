import type { SettingsIdentity, SettingsUser } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Token } from '../src/tokens.js'
import { fileSubject, memorySubject, pgliteSubject, redisSubject, type StoreSubject } from './support/store-subjects.js'
import { claim, issue, look, newIdentity, newUser, open, peek, rebind } from './support/store-world.js'

/** What may happen: each with the numbers that choose its user, link, session and identity. */
type Step = readonly [
  operation: 'issue' | 'open' | 'confirm' | 'claim' | 'revoke' | 'revokeAll' | 'unlink' | 'rebind',
  first: number,
  second: number,
]

interface ModelSession {
  token: Token
  readonly user: number
  readonly link: ModelLink
  /** `gone`: it waited when its link was opened again. */
  state: 'awaiting' | 'active' | 'ended' | 'gone'
}

interface ModelLink {
  readonly token: Token
  readonly user: number
  isSpent: boolean
  isVoid: boolean
  holder: ModelSession | undefined
}

/** What a look at a session finds. */
const LOOKS = { awaiting: 'found', active: 'found', ended: 'revoked', gone: 'unknown' } as const
const MOST = 2
const LIMITS = { idleMs: 600_000, absoluteMs: 600_000, maxSessions: MOST }

/** The rules, as small as they can be said: no hashes, no keys, no time. */
class Model {
  readonly links: ModelLink[] = []
  readonly sessions: ModelSession[] = []
  readonly bound = new Map<number, number>()

  refusal(link: ModelLink): 'spent' | 'revoked' | undefined {
    if (link.isSpent) return 'spent'
    return link.isVoid ? 'revoked' : undefined
  }

  open(link: ModelLink, token: Token, isActive: boolean): string {
    const refused = this.refusal(link)
    if (refused !== undefined) return refused
    const session: ModelSession = { token, user: link.user, link, state: 'awaiting' }
    this.sessions.push(session)
    if (link.holder?.state === 'awaiting') link.holder.state = 'gone'
    link.holder = session
    if (isActive) this.activate(session)
    return 'opened'
  }

  activate(session: ModelSession): void {
    session.link.isSpent = true
    if (session.state === 'active') return
    session.state = 'active'
    // Oldest by when it became active.
    this.order.push(session)
    const living = this.order.filter(({ user, state }) => user === session.user && state === 'active')
    for (const surplus of living.slice(0, Math.max(0, living.length - MOST))) surplus.state = 'ended'
  }

  readonly order: ModelSession[] = []
  /** Good for a release alone. */
  readonly taken = new Set<ModelSession>()

  claim(session: ModelSession, identity: number): string {
    if (session.state === 'gone') return 'unknown'
    if (session.state === 'ended' || this.taken.has(session)) return 'revoked'
    const own = this.bound.get(session.user)
    const isTaken = [...this.bound].some(([user, other]) => other === identity && user !== session.user)
    if (own === undefined && isTaken && session.state !== 'active') {
      this.taken.add(session)
      session.link.isSpent = true
      return 'taken'
    }
    if ((own ?? identity) !== identity || isTaken) {
      session.state = 'ended'
      session.link.isSpent = true
      return 'mismatch'
    }
    this.bound.set(session.user, identity)
    this.activate(session)
    return 'activated'
  }

  revokeAll(user: number): void {
    for (const session of this.sessions) {
      if (session.user === user && session.state !== 'gone') session.state = 'ended'
    }
    for (const link of this.links) if (link.user === user) link.isVoid = true
  }
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom(
      'issue',
      'issue',
      'open',
      'confirm',
      'confirm',
      'claim',
      'claim',
      'revoke',
      'revokeAll',
      'unlink',
      'rebind',
    ),
    fc.nat(7),
    fc.nat(2),
  ) as fc.Arbitrary<Step>,
  { minLength: 5, maxLength: 40 },
)

async function play(subject: StoreSubject, sequence: readonly Step[]): Promise<void> {
  const { store } = subject
  const users: SettingsUser[] = [newUser(), newUser()]
  const identities: SettingsIdentity[] = [newIdentity(), newIdentity(), newIdentity()]
  const model = new Model()
  const pick = <T>(list: readonly T[], at: number): T | undefined => list[list.length === 0 ? 0 : at % list.length]
  for (const [operation, first, second] of sequence) {
    const user = first % 2
    await subject.advance(2)
    if (operation === 'issue') {
      const token = await issue(store, users[user] as SettingsUser)
      model.links.push({ token, user, isSpent: false, isVoid: false, holder: undefined })
    } else if (operation === 'open' || operation === 'confirm') {
      const link = pick(model.links, first)
      if (link === undefined) continue
      const state = operation === 'open' ? 'active' : 'awaiting_identity'
      const { outcome, session } = await open(store, link.token, { state, limits: LIMITS })
      expect(outcome).toBe(model.open(link, session, operation === 'open'))
    } else if (operation === 'claim') {
      const session = pick(model.sessions, first)
      if (session === undefined) continue
      const { outcome, rotated } = await claim(store, session.token, identities[second] as SettingsIdentity)
      expect(outcome).toBe(model.claim(session, second))
      if (outcome === 'activated' || outcome === 'taken') session.token = rotated
    } else if (operation === 'revoke') {
      const session = pick(model.sessions, first)
      if (session === undefined) continue
      const isAlive = session.state === 'awaiting' || session.state === 'active'
      expect((await store.revoke(session.token.tag)) !== undefined).toBe(isAlive)
      if (!isAlive) continue
      session.link.isSpent = true
      session.state = 'ended'
    } else if (operation === 'revokeAll') {
      await store.revokeAll(users[user] as SettingsUser)
      model.revokeAll(user)
    } else if (operation === 'unlink') {
      expect((await store.unlink(users[user] as SettingsUser)) !== undefined).toBe(model.bound.has(user))
      if (model.bound.delete(user)) model.revokeAll(user)
    } else {
      const isTaken = [...model.bound].some(([other, identity]) => other !== user && identity === second)
      const { outcome } = await rebind(store, users[user] as SettingsUser, identities[second] as SettingsIdentity)
      expect(outcome).toBe(isTaken ? 'taken' : 'bound')
      if (isTaken) continue
      model.bound.set(user, second)
      model.revokeAll(user)
    }
    await compare(store, model, users, identities)
  }
}

async function compare(
  store: SettingsStore,
  model: Model,
  users: readonly SettingsUser[],
  identities: readonly SettingsIdentity[],
): Promise<void> {
  for (const link of model.links) expect(await peek(store, link.token)).toBe(model.refusal(link) ?? 'open')
  for (const { token, state } of model.sessions) {
    expect(await look(store, token)).toBe(LOOKS[state])
  }
  for (const [index, user] of users.entries()) {
    const active = model.order.filter((session) => session.user === index && session.state === 'active')
    expect((await store.list(user)).map(({ id }) => id)).toEqual(active.map(({ token }) => token.tag))
    const bound = model.bound.get(index)
    expect(await store.identityOf(user)).toEqual(bound === undefined ? undefined : identities[bound])
  }
}

describe.each([
  ['memory', memorySubject, 1000],
  ['file, restarted at each fifth step', () => fileSubject(5), 40],
  ['Redis', redisSubject, 60],
  ['PGlite', pgliteSubject, 40],
] as const)('on %s', (_name, start, numRuns) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  })
  afterAll(() => subject?.close())

  test(`[settings-model] random sequences agree with the model, ${numRuns} of ${numRuns}`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, (sequence) => play(subject, sequence)),
      { numRuns },
    )
  }, 120_000)
})
