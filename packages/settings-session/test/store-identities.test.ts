import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type StoreSubject, subjects } from './support/store-subjects.js'
import { claim, issue, look, newIdentity, newUser, open, opened, peek, rebind } from './support/store-world.js'

const awaiting = { state: 'awaiting_identity' } as const

describe.each(subjects)('on %s', (_name, start) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  test('[settings-contract] a first claim binds user and identity, makes the session active and spends the link', async () => {
    const { store } = subject
    const user = newUser()
    const identity = newIdentity()
    const { link, session } = await opened(store, user, awaiting)
    const first = await claim(store, session, identity)
    expect(first.result).toMatchObject({ outcome: 'activated', isFirst: true, session: { state: 'active', identity } })
    expect(await store.identityOf(user)).toEqual(identity)
    expect(await peek(store, link)).toBe('spent')
    expect((await store.list(user)).map(({ id }) => id)).toEqual([session.tag])
  })

  test('[settings-session-life] a claim gives the session a new secret: the one before opens nothing', async () => {
    const { store } = subject
    const { session } = await opened(store, newUser(), awaiting)
    const { rotated } = await claim(store, session, newIdentity())
    expect([await look(store, session), await look(store, rotated)]).toEqual(['unknown', 'found'])
  })

  test('later claims verify: the same identity gets in, another one ends the session and spends the link', async () => {
    const { store } = subject
    const user = newUser()
    const identity = newIdentity()
    const { rotated } = await claim(store, (await opened(store, user, awaiting)).session, identity)
    await store.confirmBinding(user, { identity, attempt: rotated.hash })
    const later = await claim(store, (await opened(store, user, awaiting)).session, identity, false)
    expect(later.result).toMatchObject({ outcome: 'activated', isFirst: false })
    const stolen = await opened(store, user, awaiting)
    const thief = newIdentity()
    expect((await claim(store, stolen.session, thief)).outcome).toBe('mismatch')
    expect([await look(store, stolen.session), await peek(store, stolen.link)]).toEqual(['revoked', 'spent'])
    expect(await store.identityOf(user)).toEqual(identity)
    // Nothing was noted of the thief's account: it can be its owner's.
    const owner = await opened(store, newUser(), awaiting)
    expect((await claim(store, owner.session, thief)).outcome).toBe('activated')
  })

  test("another user's identity is refused, and nothing is bound", async () => {
    const { store } = subject
    const identity = newIdentity()
    await claim(store, (await opened(store, newUser(), awaiting)).session, identity)
    const other = newUser()
    const attempt = await opened(store, other, awaiting)
    const { rotated, outcome } = await claim(store, attempt.session, identity)
    expect(outcome).toBe('taken')
    expect([await look(store, attempt.session), await peek(store, attempt.link)]).toEqual(['unknown', 'spent'])
    expect((await claim(store, rotated, newIdentity())).outcome).toBe('revoked')
    expect(await store.identityOf(other)).toBeUndefined()
  })

  test('one person may have an account on each platform and in each team', async () => {
    const { store } = subject
    const identity = newIdentity()
    for (const user of [newUser(), newUser({ platform: 'telegram' }), newUser({ team: 'a' }), newUser({ team: 'b' })]) {
      expect((await claim(store, (await opened(store, user, awaiting)).session, identity)).outcome).toBe('activated')
    }
  })

  test('where nothing may be established, a first claim changes nothing', async () => {
    const { store } = subject
    const user = newUser()
    const { session, link } = await opened(store, user, awaiting)
    const identity = newIdentity()
    expect((await claim(store, session, identity, false)).outcome).toBe('unbound')
    expect([await look(store, session), await peek(store, link)]).toEqual(['found', 'open'])
    expect(await store.identityOf(user)).toBeUndefined()
    expect((await claim(store, session, identity, true)).outcome).toBe('activated')
  })

  test('a session that lost the link, or was revoked, binds nothing', async () => {
    const { store } = subject
    const user = newUser()
    const link = await issue(store, user)
    const thief = await open(store, link, awaiting)
    const person = await open(store, link, awaiting)
    expect((await claim(store, thief.session, newIdentity())).outcome).toBe('unknown')
    await store.revokeAll(user)
    expect((await claim(store, person.session, newIdentity())).outcome).toBe('revoked')
    expect(await store.identityOf(user)).toBeUndefined()
  })

  test('a claim that races revokeAll leaves no session alive', async () => {
    const { store } = subject
    for (let run = 0; run < 30; run += 1) {
      const user = newUser()
      const { session } = await opened(store, user, awaiting)
      const [claimed] = await Promise.all([claim(store, session, newIdentity()), store.revokeAll(user)])
      expect([await look(store, claimed.rotated), await look(store, session)]).not.toContain('found')
    }
  })

  test('unlinking frees both sides and ends the sessions', async () => {
    const { store } = subject
    const user = newUser()
    const identity = newIdentity()
    const { rotated } = await claim(store, (await opened(store, user, awaiting)).session, identity)
    expect(await store.unlink(user)).toEqual(identity)
    expect(await store.unlink(user)).toBeUndefined()
    expect(await look(store, rotated)).toBe('revoked')
    expect((await claim(store, (await opened(store, newUser(), awaiting)).session, identity)).outcome).toBe('activated')
    expect((await claim(store, (await opened(store, user, awaiting)).session, newIdentity())).outcome).toBe('activated')
  })

  test('rebinding binds another identity, frees the old one, and refuses one that is taken', async () => {
    const { store } = subject
    const user = newUser()
    const [old, fresh] = [newIdentity(), newIdentity()]
    const { rotated } = await claim(store, (await opened(store, user, awaiting)).session, old)
    expect((await rebind(store, user, fresh)).outcome).toBe('bound')
    expect(await look(store, rotated)).toBe('revoked')
    expect(await store.identityOf(user)).toEqual(fresh)
    expect((await rebind(store, user, fresh)).outcome).toBe('bound')
    const other = newUser()
    expect((await rebind(store, other, fresh)).outcome).toBe('taken')
    expect((await rebind(store, other, old)).outcome).toBe('bound')
    expect((await claim(store, (await opened(store, user, awaiting)).session, fresh, false)).outcome).toBe('activated')
  })

  test('what one attempt bound is taken back only while it stands, although the identity is the same', async () => {
    const { store } = subject
    const user = newUser()
    const [identity, other] = [newIdentity(), newIdentity()]
    const { session } = await opened(store, user, awaiting)
    const { rotated } = await claim(store, session, identity)
    const bind = (attempt: string, who = identity) => store.rebind(user, { identity: who, attempt })
    expect(await bind('first')).toMatchObject({ outcome: 'bound', former: { identity, attempt: rotated.hash } })
    expect(await bind('second')).toMatchObject({ outcome: 'bound', former: { identity, attempt: 'first' } })
    expect(await store.unlink(user, rotated.hash)).toBeUndefined()
    expect(await store.unlink(user, 'first')).toBeUndefined()
    expect(await rebind(store, user, other, 'first')).toEqual({ outcome: 'contended' })
    expect(await store.identityOf(user)).toEqual(identity)
    // Nothing was reserved by the attempt that changed nothing, and what is replaced is free.
    expect((await rebind(store, newUser(), other)).outcome).toBe('bound')
    const third = newIdentity()
    expect((await rebind(store, user, third, 'second')).outcome).toBe('bound')
    expect((await rebind(store, newUser(), identity)).outcome).toBe('bound')
    expect(await bind('fourth', third)).toMatchObject({ outcome: 'bound' })
    expect(await store.unlink(user, 'fourth')).toEqual(third)
    expect(await store.unlink(user, 'fourth')).toBeUndefined()
    expect(await rebind(store, user, third, 'fourth')).toEqual({ outcome: 'contended' })
    expect(await store.identityOf(user)).toBeUndefined()
  })

  test('a binding is new until it is confirmed, and then its attempt takes nothing back', async () => {
    const { store } = subject
    const user = newUser()
    const identity = newIdentity()
    const sessionOf = async () => (await opened(store, user, awaiting)).session
    const isFirst = async (mayEstablish: boolean) => {
      const { rotated, result } = await claim(store, await sessionOf(), identity, mayEstablish)
      return [rotated.hash, result.outcome === 'activated' && result.isFirst] as const
    }
    const [first, isNew] = await isFirst(true)
    const [second, isStillNew] = await isFirst(false)
    expect([isNew, isStillNew]).toEqual([true, true])
    await store.confirmBinding(user, { identity: newIdentity(), attempt: second })
    expect((await isFirst(false))[1]).toBe(true)
    await store.confirmBinding(user, { identity, attempt: second })
    expect((await isFirst(false))[1]).toBe(false)
    expect(await store.unlink(user, first)).toBeUndefined()
    expect((await rebind(store, user, identity)).outcome).toBe('bound')
    expect((await isFirst(false))[1]).toBe(true)
    expect(await store.unlink(user)).toEqual(identity)
    await store.confirmBinding(user, { identity, attempt: second })
    expect(await store.identityOf(user)).toBeUndefined()
  })

  test('a held claim waits for one answer', async () => {
    const { store } = subject
    const { session } = await opened(store, newUser(), awaiting)
    const identity = newIdentity()
    expect(await store.answerClaim(session.tag, 'k1', true)).toBe(false)
    expect(await store.holdClaim(session, identity, 'k1')).toMatchObject({
      outcome: 'found',
      session: { claim: { identity, answer: 'pending' } },
    })
    expect(await store.answerClaim(session.tag, 'k2', true)).toBe(false)
    expect(await store.answerClaim(session.tag, 'k1', true)).toBe(true)
    expect(await store.answerClaim(session.tag, 'k1', false)).toBe(false)
    expect(await store.read(session)).toMatchObject({ session: { claim: { identity, answer: 'allowed' } } })
    const { result } = await claim(store, session, identity)
    expect(result).toMatchObject({ outcome: 'activated', session: { state: 'active' } })
    expect((result as { session: { claim?: object } }).session.claim).toBeUndefined()
  })

  test('[settings-identity] of two users who claim one identity at once, one wins, 50 of 50', async () => {
    const { store } = subject
    for (let run = 0; run < 50; run += 1) {
      const identity = newIdentity()
      const people = [newUser(), newUser()] as const
      const sessions = await Promise.all(people.map(async (user) => (await opened(store, user, awaiting)).session))
      const claims = await Promise.all(sessions.map((session) => claim(store, session, identity)))
      expect(claims.filter(({ outcome }) => outcome === 'activated')).toHaveLength(1)
      expect(['taken', 'contended']).toContain(claims.find(({ outcome }) => outcome !== 'activated')?.outcome)
      const bound = await Promise.all(people.map((user) => store.identityOf(user)))
      expect(bound.filter((found) => found !== undefined)).toEqual([identity])
    }
  }, 60_000)

  test('of two identities that claim one user at once, one wins, and the other stays free', async () => {
    const { store } = subject
    for (let run = 0; run < 20; run += 1) {
      const user = newUser()
      const identities = [newIdentity(), newIdentity()] as const
      const sessions = [await opened(store, user, awaiting), await opened(store, user, awaiting)]
      const claims = await Promise.all(
        identities.map((identity, index) => claim(store, sessions[index]?.session as never, identity)),
      )
      expect(claims.map(({ outcome }) => outcome).sort()).toEqual(['activated', 'mismatch'])
      const loser = identities[claims.findIndex(({ outcome }) => outcome === 'mismatch')]
      const owner = await opened(store, newUser(), awaiting)
      expect((await claim(store, owner.session, loser as never)).outcome).toBe('activated')
    }
  }, 60_000)
})
