import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mintToken } from '../src/tokens.js'
import { type StoreSubject, subjects } from './support/store-subjects.js'
import { issue, LIMITS, look, newSessionToken, newUser, open, opened, peek } from './support/store-world.js'

describe.each(subjects)('on %s', (_name, start) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  test('[settings-contract] a link opens one session and is spent', async () => {
    const { store } = subject
    const user = newUser({ team: 't1' })
    const { link, session, result } = await opened(store, user)
    expect(result).toMatchObject({ outcome: 'opened', isRepeat: false, session: { id: session.tag, state: 'active' } })
    expect(result).toMatchObject({ session: { user, kind: 'settings', linkId: link.tag, verifiedMsAgo: 0 } })
    expect((await open(store, link)).outcome).toBe('spent')
    expect(await peek(store, link)).toBe('spent')
    expect(await look(store, session)).toBe('found')
  })

  test('[settings-reuse] a repeat of the same attempt gets the first session, another attempt gets nothing', async () => {
    const { store } = subject
    const { link, session, attempt } = await opened(store, newUser())
    const again = await open(store, link, { session, attempt })
    expect(again.result).toMatchObject({ outcome: 'opened', isRepeat: true })
    expect((await open(store, link, { session: newSessionToken(link), attempt })).outcome).toBe('spent')
    await store.revoke(session.tag)
    expect((await open(store, link, { session, attempt })).outcome).toBe('spent')
  })

  test('looking at a link a hundred times changes nothing', async () => {
    const { store } = subject
    const link = await issue(store, newUser())
    for (let count = 0; count < 100; count += 1) expect(await peek(store, link)).toBe('open')
    expect((await open(store, link)).outcome).toBe('opened')
  })

  test('a link with another secret under the same tag is unknown, and changes nothing', async () => {
    const { store } = subject
    const link = await issue(store, newUser())
    const forged = mintToken('l', link.tag)
    expect(await peek(store, forged)).toBe('unknown')
    expect((await open(store, forged)).outcome).toBe('unknown')
    const { session } = await open(store, link)
    const forgedSession = mintToken('s', session.tag)
    expect(await look(store, forgedSession)).toBe('unknown')
    expect(await store.revoke(session.tag, forgedSession.hash)).toBeUndefined()
    expect(await look(store, session)).toBe('found')
    expect(await look(store, newSessionToken(link))).toBe('unknown')
  })

  test('a link expires', async () => {
    const { store } = subject
    const link = await issue(store, newUser(), { ttlMs: 150 })
    await subject.advance(160)
    expect(await peek(store, link)).toBe('expired')
    expect((await open(store, link)).outcome).toBe('expired')
  })

  test('a link with digits opens with the right ones, and is spent by five wrong ones', async () => {
    const { store } = subject
    const lucky = await issue(store, newUser(), { codeHash: 'right' })
    expect((await open(store, lucky)).outcome).toBe('wrong_code')
    expect((await open(store, lucky, { codeHash: 'wrong' })).outcome).toBe('wrong_code')
    expect((await open(store, lucky, { codeHash: 'right' })).outcome).toBe('opened')
    const guessed = await issue(store, newUser(), { codeHash: 'right' })
    const outcomes: string[] = []
    for (let count = 0; count < 5; count += 1)
      outcomes.push((await open(store, guessed, { codeHash: 'wrong' })).outcome)
    expect(outcomes).toEqual(['wrong_code', 'wrong_code', 'wrong_code', 'wrong_code', 'spent'])
    expect((await open(store, guessed, { codeHash: 'right' })).outcome).toBe('spent')
  })

  test('a link that was voided opens nothing, and the session that held it is gone; one that opened stays', async () => {
    const { store } = subject
    const link = await issue(store, newUser())
    const { session } = await open(store, link, { state: 'awaiting_identity' })
    expect(await store.voidLink(mintToken('l', link.tag))).toBe(false)
    expect(await store.voidLink(link)).toBe(true)
    expect([await peek(store, link), await look(store, session)]).toEqual(['spent', 'unknown'])
    expect(await store.voidLink(link)).toBe(false)
    const used = await opened(store, newUser())
    expect(await store.voidLink(used.link)).toBe(false)
    expect(await look(store, used.session)).toBe('found')
  })

  test('until a session is active, the browser that confirmed last holds the link', async () => {
    const { store } = subject
    const link = await issue(store, newUser())
    const webview = await open(store, link, { state: 'awaiting_identity' })
    expect(webview.result).toMatchObject({ outcome: 'opened', session: { state: 'awaiting_identity' } })
    expect(await peek(store, link)).toBe('open')
    const browser = await open(store, link, { state: 'awaiting_identity' })
    // It opened nothing, so it is deleted.
    expect(await look(store, webview.session)).toBe('unknown')
    expect(await look(store, browser.session)).toBe('found')
    const again = await open(store, link, { ...browser, state: 'awaiting_identity' })
    expect(again.result).toMatchObject({ outcome: 'opened', isRepeat: true })
    expect(await peek(store, link)).toBe('open')
  })

  test('the order of sessions is kept within one millisecond: the oldest end, and the list is in order', async () => {
    const { store } = subject
    for (let round = 0; round < 20; round += 1) {
      const user = newUser()
      const links = await Promise.all(Array.from({ length: LIMITS.maxSessions + 1 }, () => issue(store, user)))
      const tags: string[] = []
      const enter = async (link: (typeof links)[number], index: number) => {
        tags[index] = (await open(store, link)).session.tag
      }
      if (subject.isUnordered) for (const [index, link] of links.entries()) await enter(link, index)
      else await Promise.all(links.map(enter))
      expect((await store.list(user)).map(({ id }) => id)).toEqual(tags.slice(1))
    }
  })

  test('a session beyond the maximum ends the oldest one; the list has the living ones, oldest first', async () => {
    const { store } = subject
    const user = newUser()
    const sessions = []
    for (let count = 0; count < 5; count += 1) {
      sessions.push((await opened(store, user)).session)
      await subject.advance(2)
    }
    const states = await Promise.all(sessions.map((session) => look(store, session)))
    expect(states).toEqual(['revoked', 'revoked', 'found', 'found', 'found'])
    expect((await store.list(user)).map(({ id }) => id)).toEqual(sessions.slice(2).map(({ tag }) => tag))
    await store.revoke(sessions[3]?.tag as string)
    expect((await store.list(user)).map(({ id }) => id)).toEqual([sessions[2]?.tag, sessions[4]?.tag])
    expect(await store.list(newUser())).toEqual([])
  })

  test('[settings-session-life] a session ends when it is unused, and when it is old', async () => {
    const { store } = subject
    const limits = { idleMs: 1000, absoluteMs: 2000, maxSessions: 3 }
    const idle = (await opened(store, newUser(), { limits })).session
    const used = (await opened(store, newUser(), { limits })).session
    await subject.advance(600)
    expect(await look(store, used)).toBe('found')
    await subject.advance(600)
    expect([await look(store, idle), await look(store, used)]).toEqual(['idle', 'found'])
    await subject.advance(400)
    expect(await look(store, used)).toBe('found')
    await subject.advance(450)
    expect(await look(store, used)).toBe('expired')
  })

  test('revoking a session by its id ends it, once', async () => {
    const { store } = subject
    const user = newUser()
    const { session } = await opened(store, user)
    expect(await store.revoke(session.tag)).toMatchObject({ id: session.tag, user })
    expect(await store.revoke(session.tag)).toBeUndefined()
    expect(await look(store, session)).toBe('revoked')
  })

  test('revoking a session that waits for an identity spends its link', async () => {
    const { store } = subject
    const { link, session } = await opened(store, newUser(), { state: 'awaiting_identity' })
    expect(await store.revoke(session.tag)).toMatchObject({ id: session.tag })
    expect((await open(store, link, { state: 'awaiting_identity' })).outcome).toBe('spent')
  })

  test('revoking everything of a user ends sessions of every state and voids links, and nothing of others', async () => {
    const { store } = subject
    const user = newUser()
    const other = await opened(store, newUser())
    const active = await opened(store, user)
    const awaiting = await opened(store, user, { state: 'awaiting_identity' })
    const link = await issue(store, user)
    await store.revokeAll(user)
    expect(await look(store, active.session)).toBe('revoked')
    expect(await look(store, awaiting.session)).toBe('revoked')
    expect(await peek(store, link)).toBe('revoked')
    expect((await open(store, link)).outcome).toBe('revoked')
    expect(await store.list(user)).toEqual([])
    expect(await look(store, other.session)).toBe('found')
    expect((await opened(store, user)).outcome).toBe('opened')
    expect(await look(store, active.session)).toBe('revoked')
  })

  test('[settings-session-life] a touch that races a revocation never brings the session back', async () => {
    const { store } = subject
    // Short, so that the reads mark it as used.
    const limits = { ...LIMITS, idleMs: 40 }
    for (let run = 0; run < 50; run += 1) {
      const { session } = await opened(store, newUser(), { limits })
      await subject.advance(9)
      const work: unknown[] = []
      for (let count = 0; count < 4; count += 1) work.push(store.read(session))
      work.push(store.revoke(session.tag))
      for (let count = 0; count < 4; count += 1) work.push(store.read(session))
      await Promise.all(work)
      expect(['revoked', 'idle']).toContain(await look(store, session))
    }
  })

  test('[settings-session-life] a creation that races revokeAll leaves no session alive', async () => {
    const { store } = subject
    for (let run = 0; run < 50; run += 1) {
      const user = newUser()
      const link = await issue(store, user)
      const [created] = await Promise.all(
        run % 2 === 0
          ? [open(store, link), store.revokeAll(user)]
          : [open(store, link), store.revokeAll(user)].reverse(),
      ).then((results) => results.filter((result) => result !== undefined))
      expect(await look(store, (created as Awaited<ReturnType<typeof open>>).session)).not.toBe('found')
    }
  })

  test("a platform's signed data opens a session without a link", async () => {
    const { store } = subject
    const user = newUser({ platform: 'telegram' })
    const ref = newSessionToken(user)
    const result = await store.openSession({
      ref,
      content: { user, kind: 'settings' },
      state: 'active',
      limits: LIMITS,
    })
    expect(result).toMatchObject({ outcome: 'found', session: { user, state: 'active', id: ref.tag } })
    expect(await look(store, ref)).toBe('found')
    await store.revokeAll(user)
    expect(await look(store, ref)).toBe('revoked')
  })

  test('signed data is of the device that used it first, and has one session until that has ended', async () => {
    const { store } = subject
    const data = newSessionToken(newUser()).hash
    expect(await store.useInitData(data, 'device1', 200)).toBe(0)
    expect(await store.useInitData(data, 'device1', 200)).toBe(0)
    expect(await store.useInitData(data, 'device2', 200)).toBe('replayed')
    // Of two that found the session ended, the second gets the first one's new session.
    expect(await store.useInitData(data, 'device1', 200, 0)).toBe(1)
    expect(await store.useInitData(data, 'device1', 200, 0)).toBe(1)
    await subject.advance(210)
    expect(await store.useInitData(data, 'device2', 200)).toBe(0)
  })

  test('the same signed data makes a hundred sessions at most, one after another', async () => {
    const { store } = subject
    const data = newSessionToken(newUser()).hash
    await store.useInitData(data, 'device1', 60_000)
    for (let ended = 0; ended < 99; ended += 1) {
      expect(await store.useInitData(data, 'device1', 60_000, ended)).toBe(ended + 1)
    }
    expect(await store.useInitData(data, 'device1', 60_000, 99)).toBe('replayed')
    expect(await store.useInitData(data, 'device1', 60_000)).toBe('replayed')
  })

  test('a session without a link is opened once, and a repeat gets it while it lives', async () => {
    const { store } = subject
    const user = newUser({ platform: 'telegram' })
    const ref = newSessionToken(user)
    const session = { ref, content: { user, kind: 'settings' }, state: 'active', limits: LIMITS } as const
    const results = await Promise.all([store.openSession(session), store.openSession(session)])
    const isRepeat = (result: (typeof results)[number]) => Number('isRepeat' in result && result.isRepeat)
    if (subject.isUnordered) results.sort((a, b) => isRepeat(a) - isRepeat(b))
    expect(results).toMatchObject([
      { outcome: 'found', isRepeat: false },
      { outcome: 'found', isRepeat: true },
    ])
    expect(await store.list(user)).toHaveLength(1)
    await store.revoke(ref.tag)
    expect(await store.openSession(session)).toEqual({ outcome: 'refused', reason: 'revoked' })
    expect(await look(store, ref)).toBe('revoked')
  })

  test('attempts are counted by name, as many as may be in a window, however many come at once', async () => {
    const { store } = subject
    const name = newSessionToken(newUser()).tag
    const waits = await Promise.all(Array.from({ length: 8 }, () => store.countAttempt(name, 5, 1000)))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(5)
    for (const wait of waits.filter((wait) => wait > 0)) expect(wait).toBeLessThanOrEqual(1000)
    expect(await store.countAttempt(`${name}x`, 5, 1000)).toBe(0)
    // What was refused does not make the window longer.
    await subject.advance(1010)
    expect(await store.countAttempt(name, 5, 1000)).toBe(0)
  })

  test('the later of two sign-ins under one tag counts', async () => {
    const { store } = subject
    const { session } = await opened(store, newUser(), { state: 'awaiting_identity' })
    const [first, second] = [mintToken('t', session.tag), mintToken('t', session.tag)]
    for (const ref of [first, second]) await store.beginOAuth({ ref, session, isAgain: false, ttlMs: 1000 })
    expect(await store.takeOAuth(first)).toBeUndefined()
    expect(await store.takeOAuth(second)).toMatchObject({ isAgain: false })
  })

  test('a sign-in is taken once, with its own secret only', async () => {
    const { store } = subject
    const { session } = await opened(store, newUser(), { state: 'awaiting_identity' })
    const ref = mintToken('t', newSessionToken(session).tag)
    await store.beginOAuth({ ref, session, isAgain: true, returnTo: '/settings/x', ttlMs: 60_000 })
    expect(await store.takeOAuth(mintToken('t', ref.tag))).toBeUndefined()
    const taken = { session: { tag: session.tag, hash: session.hash }, isAgain: true, returnTo: '/settings/x' }
    expect(await store.takeOAuth(ref)).toMatchObject(taken)
    expect(await store.takeOAuth(ref)).toBeUndefined()
  })
})
