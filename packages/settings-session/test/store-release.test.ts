import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { userKey } from '../src/store/keys.js'
import { type StoreSubject, subjects } from './support/store-subjects.js'
import { claim, look, newIdentity, newUser, opened, rebind } from './support/store-world.js'

const awaiting = { state: 'awaiting_identity' } as const

describe.each(subjects)('on %s', (_name, start) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  /** An identity that is another user's, and the session of the user whom it should be of. */
  async function world() {
    const { store } = subject
    const [other, user, identity] = [newUser(), newUser(), newIdentity()]
    const theirs = await claim(store, (await opened(store, other, awaiting)).session, identity)
    const { rotated } = await claim(store, (await opened(store, user, awaiting)).session, identity)
    return { store, other, user, identity, theirs: theirs.rotated, session: rotated }
  }

  test('an identity is released with the sessions of the user who had it, and claimed', async () => {
    const { store, other, user, identity, theirs, session } = await world()
    expect(await store.freeIdentity(session)).toMatchObject({
      outcome: 'freed',
      session: { state: 'awaiting_identity', claim: { identity, answer: 'released' } },
      former: { user: other, attempt: theirs.hash },
    })
    expect([await store.identityOf(other), await look(store, theirs)]).toEqual([undefined, 'revoked'])
    // No other identity may be claimed.
    expect((await claim(store, session, newIdentity())).outcome).toBe('revoked')
    const { result, rotated } = await claim(store, session, identity)
    expect(result).toMatchObject({ outcome: 'activated', isFirst: true, session: { identity } })
    expect([await store.identityOf(user), await look(store, rotated)]).toEqual([identity, 'found'])
    expect(await store.returningUsers(identity)).toEqual([user])
    expect((await store.freeIdentity(rotated)).outcome).toBe('refused')
  })

  test('a session that asks again is told of the same user, until that user has the identity again', async () => {
    const { store, other, user, identity, session } = await world()
    const both = await Promise.all([store.freeIdentity(session), store.freeIdentity(session)])
    const freed = { outcome: 'freed', former: { user: other, session: session.tag } }
    expect([...both, await store.freeIdentity(session)]).toMatchObject([freed, freed, freed])
    const former = both[0].outcome === 'freed' ? both[0].former : undefined
    if (former === undefined) throw new Error('nothing was released')
    expect(await store.restoreIdentity(user, identity, former)).toBe(true)
    // What is undone, and then done by somebody else, is not this session's.
    await store.unlink(other)
    const later = await store.freeIdentity(session)
    expect([later.outcome, later.outcome === 'freed' && later.former]).toEqual(['freed', undefined])
    expect((await claim(store, session, identity)).outcome).toBe('activated')
  })

  test('only who had the identity when it was proved loses it; who has it since is another question to the person', async () => {
    const { store, other, identity, session } = await world()
    const next = newUser()
    await store.unlink(other)
    expect((await rebind(store, next, identity)).outcome).toBe('bound')
    const freed = await store.freeIdentity(session)
    expect([freed.outcome, freed.outcome === 'freed' && freed.former]).toEqual(['freed', undefined])
    const { outcome, rotated } = await claim(store, session, identity)
    expect(outcome).toBe('taken')
    expect(await store.freeIdentity(rotated)).toMatchObject({ former: { key: userKey(next) } })
  })

  test('what was released can be given back, and only while both are free', async () => {
    const { store, other, user, identity, session } = await world()
    const freed = await store.freeIdentity(session)
    const former = freed.outcome === 'freed' ? freed.former : undefined
    if (former === undefined) throw new Error('nothing was released')
    const { rotated } = await claim(store, session, identity)
    expect(await store.restoreIdentity(user, identity, former)).toBe(false)
    expect(await store.unlink(user, rotated.hash)).toEqual(identity)
    expect(await store.restoreIdentity(user, identity, former)).toBe(true)
    expect(await store.restoreIdentity(user, identity, former)).toBe(false)
    expect(await store.identityOf(other)).toEqual(identity)
    expect((await rebind(store, user, identity)).outcome).toBe('taken')
    expect(await store.returningUsers(identity)).toEqual([])
  })

  test('nothing is released without a proof, by the secret of before, or for a user who has an identity by now', async () => {
    const { store, other, user, identity, session } = await world()
    const plain = await opened(store, newUser(), awaiting)
    expect((await store.freeIdentity(plain.session)).outcome).toBe('refused')
    expect((await store.freeIdentity({ ...session, hash: 'another' })).outcome).toBe('refused')
    expect((await store.holdClaim(session, newIdentity(), 'key')).outcome).toBe('refused')
    const { session: second } = await opened(store, user, awaiting)
    expect((await claim(store, second, newIdentity())).outcome).toBe('activated')
    const freed = await store.freeIdentity(session)
    expect([freed.outcome, freed.outcome === 'freed' && freed.former]).toEqual(['freed', undefined])
    expect(await store.identityOf(other)).toEqual(identity)
    expect((await claim(store, session, identity)).outcome).toBe('mismatch')
  })
})
