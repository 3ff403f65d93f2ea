import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createAudit } from '@countersign/core'
import { sha256 } from '@countersign/core/gate-kit'
import { createSettingsSessions, type SettingsIdentity, type SettingsUser } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { type ContractCase, uniqueName } from './contract.js'

/** What a store is asked with: where the record lies, and the hash of what proves. */
interface Ref {
  readonly tag: string
  readonly hash: string
}

interface World {
  readonly store: SettingsStore
  readonly user: SettingsUser
  /** A new reference where this user's records lie. */
  ref(): Ref
  issue(changes?: { readonly ttlMs?: number; readonly codeHash?: string }): Promise<Ref>
  /** Exchanges a link from a browser of its own, or from the one that is said. */
  exchange(link: Ref, changes?: Partial<Opening>): Promise<{ readonly session: Ref; readonly outcome: string }>
  /** `found`, or why not. */
  look(session: Ref): Promise<string>
}

interface Opening {
  readonly session: Ref
  readonly attempt: string
  readonly state: 'active' | 'awaiting_identity'
  readonly codeHash: string
}

const LIMITS = { idleMs: 60_000, absoluteMs: 120_000, maxSessions: 3 }
const identity = (): SettingsIdentity => ({ issuer: 'https://id.example.com', subject: uniqueName('subject') })

const cases: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async 'opens one session with a link, and the link is spent'({ store, issue, exchange, look, user }) {
    const link = await issue()
    const peeked = await store.peekLink(link)
    assert.equal(peeked.outcome, 'open')
    const { session, outcome } = await exchange(link)
    assert.deepEqual([outcome, await look(session)], ['opened', 'found'])
    assert.equal((await exchange(link)).outcome, 'spent')
    const found = await store.read(session)
    assert.ok(found.outcome === 'found')
    assert.deepEqual([found.session.state, found.session.kind, found.session.user], ['active', 'settings', user])
  },
  async 'names the users whom an identity opens, until all their sessions are revoked or they are unbound'(world) {
    const { store, user } = world
    const who = identity()
    const names = async () => (await store.returningUsers(who)).map(({ userId }) => userId)
    assert.deepEqual(await names(), [])
    const sign = async () => {
      const { session } = await world.exchange(await world.issue(), { state: 'awaiting_identity' })
      const claim = { session, newHash: world.ref().hash, identity: who, mayEstablish: true }
      assert.equal((await store.claimIdentity(claim)).outcome, 'activated')
    }
    await sign()
    assert.deepEqual(await names(), [user.userId])
    await store.revokeAll(user)
    assert.deepEqual(await names(), [])
    await sign()
    assert.deepEqual(await names(), [user.userId])
    await store.unlink(user)
    assert.deepEqual(await names(), [])
  },
  async 'does not spend a link by looking at it'({ store, issue, exchange }) {
    const link = await issue()
    for (let count = 0; count < 20; count += 1) assert.equal((await store.peekLink(link)).outcome, 'open')
    assert.equal((await exchange(link)).outcome, 'opened')
  },
  async 'gives a repeat of one attempt the first session, and another attempt nothing'({ issue, exchange, ref }) {
    const link = await issue()
    const attempt = uniqueName('attempt')
    const { session } = await exchange(link, { attempt })
    assert.equal((await exchange(link, { attempt, session })).outcome, 'opened')
    assert.equal((await exchange(link, { session: ref() })).outcome, 'spent')
  },
  async 'lets exactly one of many browsers open a link at once'({ issue, exchange }) {
    const link = await issue()
    const outcomes = await Promise.all(Array.from({ length: 20 }, async () => (await exchange(link)).outcome))
    assert.equal(outcomes.filter((outcome) => outcome === 'opened').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome === 'spent').length, 19)
  },
  async 'knows nothing by another secret, and changes nothing for it'({ store, issue, exchange, look, ref }) {
    const link = await issue()
    const forged = { ...link, hash: ref().hash }
    assert.equal((await exchange(forged)).outcome, 'unknown')
    const { session } = await exchange(link)
    const other = { ...session, hash: ref().hash }
    assert.equal(await look(other), 'unknown')
    assert.equal(await store.revoke(session.tag, other.hash), undefined)
    assert.equal(await look(session), 'found')
    assert.equal(await look(ref()), 'unknown')
  },
  async 'spends a link by wrong digits'({ issue, exchange }) {
    const lucky = await issue({ codeHash: 'right' })
    assert.equal((await exchange(lucky, { codeHash: 'wrong' })).outcome, 'wrong_code')
    assert.equal((await exchange(lucky, { codeHash: 'right' })).outcome, 'opened')
    const guessed = await issue({ codeHash: 'right' })
    for (let count = 0; count < 5; count += 1) await exchange(guessed, { codeHash: 'wrong' })
    assert.equal((await exchange(guessed, { codeHash: 'right' })).outcome, 'spent')
  },
  async 'lets a link expire after its time'({ store, issue, exchange }) {
    const link = await issue({ ttlMs: 150 })
    const untilMs = performance.now() + 10_000
    while ((await store.peekLink(link)).outcome === 'open' && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    assert.equal((await exchange(link)).outcome, 'expired')
  },
  async 'ends one session, and says which'({ store, issue, exchange, look }) {
    const { session } = await exchange(await issue())
    const { session: other } = await exchange(await issue())
    assert.equal((await store.revoke(session.tag, session.hash))?.id, session.tag)
    assert.equal(await store.revoke(session.tag), undefined)
    assert.deepEqual([await look(session), await look(other)], ['revoked', 'found'])
  },
  async 'ends all sessions of a user and voids the links under way'({ store, issue, exchange, look, user }) {
    const { session } = await exchange(await issue())
    const underWay = await issue()
    await store.revokeAll(user)
    assert.deepEqual([await look(session), (await exchange(underWay)).outcome], ['revoked', 'revoked'])
    assert.deepEqual([...(await store.list(user))], [])
    assert.equal((await exchange(await issue())).outcome, 'opened')
  },
  async 'lists the sessions of a user, oldest first, and ends the oldest of too many'(world) {
    const { store, issue, exchange, look, user } = world
    const opened: Ref[] = []
    for (let count = 0; count < 4; count += 1) opened.push((await exchange(await issue())).session)
    const [first = opened[0] as Ref, ...others] = opened
    assert.equal((await look(first)) === 'found', false)
    assert.deepEqual(
      (await store.list(user)).map(({ id }) => id),
      others.map(({ tag }) => tag),
    )
  },
  async 'binds a user and an identity, and both directions hold'({ store, issue, exchange, look, ref, user }) {
    const [mine, another] = [identity(), identity()]
    const claim = async (who: SettingsIdentity, mayEstablish = true) => {
      const { session } = await exchange(await issue(), { state: 'awaiting_identity' })
      const newHash = ref().hash
      const result = await store.claimIdentity({ session, newHash, identity: who, mayEstablish })
      return { outcome: result.outcome, session, rotated: { ...session, hash: newHash } }
    }
    assert.equal((await claim(mine, false)).outcome, 'unbound')
    const first = await claim(mine)
    assert.equal(first.outcome, 'activated')
    // What was known before the sign-in opens nothing after it.
    assert.deepEqual([await look(first.session), await look(first.rotated)], ['unknown', 'found'])
    assert.deepEqual(await store.identityOf(user), mine)
    assert.equal((await claim(mine, false)).outcome, 'activated')
    assert.equal((await claim(another)).outcome, 'mismatch')
    assert.deepEqual(await store.unlink(user), mine)
    assert.equal(await store.identityOf(user), undefined)
    assert.equal(await look(first.rotated), 'revoked')
  },
  async 'takes back what an attempt bound only while that stands'({ store, user }) {
    const [mine, another] = [identity(), identity()]
    const [first, second, third] = [uniqueName('first'), uniqueName('second'), uniqueName('third')]
    assert.equal((await store.rebind(user, { identity: mine, attempt: first })).outcome, 'bound')
    const replaced = await store.rebind(user, { identity: mine, attempt: second })
    assert.ok(replaced.outcome === 'bound')
    assert.deepEqual(replaced.former, { identity: mine, attempt: first })
    // The same identity, bound by another attempt.
    assert.equal(await store.unlink(user, first), undefined)
    assert.equal((await store.rebind(user, { identity: another, attempt: third }, first)).outcome, 'contended')
    assert.deepEqual(await store.identityOf(user), mine)
    assert.equal((await store.rebind(user, { identity: another, attempt: third }, second)).outcome, 'bound')
    assert.deepEqual(await store.unlink(user, third), another)
    assert.equal(await store.identityOf(user), undefined)
  },
  async 'calls a binding the first until it is confirmed'({ store, issue, exchange, ref, user }) {
    const mine = identity()
    const claim = async () => {
      const { session } = await exchange(await issue(), { state: 'awaiting_identity' })
      const newHash = ref().hash
      const result = await store.claimIdentity({ session, newHash, identity: mine, mayEstablish: true })
      return { newHash, isFirst: result.outcome === 'activated' && result.isFirst }
    }
    const first = await claim()
    const second = await claim()
    assert.deepEqual([first.isFirst, second.isFirst], [true, true])
    await store.confirmBinding(user, { identity: mine, attempt: second.newHash })
    assert.equal((await claim()).isFirst, false)
    // It is the attempt's that recorded it.
    assert.equal(await store.unlink(user, first.newHash), undefined)
    assert.deepEqual(await store.unlink(user, second.newHash), mine)
  },
  async 'releases an identity for a session that proved it, tells a repeat of whom, and gives it back'(world) {
    const { store, user } = world
    const other = await worldOf(store)
    const mine = identity()
    const claim = async ({ ref }: World, session: Ref, who = mine) => {
      const newHash = ref().hash
      const { outcome } = await store.claimIdentity({ session, newHash, identity: who, mayEstablish: true })
      return { outcome, session: { ...session, hash: newHash } }
    }
    const proved = async (by: World) => {
      const { session } = await by.exchange(await by.issue(), { state: 'awaiting_identity' })
      return claim(by, session)
    }
    const free = async (session: Ref) => {
      const freed = await store.freeIdentity(session)
      return freed.outcome === 'freed' ? freed.former : assert.fail(freed.reason)
    }
    const theirs = await proved(other)
    const taken = await proved(world)
    assert.deepEqual([theirs.outcome, taken.outcome], ['activated', 'taken'])
    const [former, repeat] = [await free(taken.session), await free(taken.session)]
    assert.ok(former !== undefined)
    assert.deepEqual([repeat, former.attempt], [former, theirs.session.hash])
    assert.equal(await other.look(theirs.session), 'revoked')
    assert.equal((await claim(world, taken.session, identity())).outcome, 'refused')
    assert.equal(await store.restoreIdentity(user, mine, former), true)
    assert.deepEqual(await store.identityOf(other.user), mine)
    assert.deepEqual([...(await store.returningUsers(mine))], [])
    assert.notEqual(await free(taken.session), undefined)
    const done = await claim(world, taken.session)
    assert.deepEqual([done.outcome, await world.look(done.session)], ['activated', 'found'])
    assert.deepEqual([await store.identityOf(user), await store.identityOf(other.user)], [mine, undefined])
  },
  async 'takes a sign-in at a provider once'({ store, issue, exchange, ref }) {
    const { session } = await exchange(await issue(), { state: 'awaiting_identity' })
    const signIn = ref()
    await store.beginOAuth({ ref: signIn, session, isAgain: false, returnTo: '/a', ttlMs: 60_000 })
    const taken = await store.takeOAuth(signIn)
    assert.deepEqual([taken?.session.tag, taken?.isAgain, taken?.returnTo], [session.tag, false, '/a'])
    assert.equal(await store.takeOAuth(signIn), undefined)
  },
}

async function worldOf(store: SettingsStore): Promise<World> {
  const user: SettingsUser = { platform: 'slack', userId: uniqueName('user') }
  const partition = await partitionOf(store, user)
  const ref = (): Ref => {
    const tag = partition + randomBytes(12).toString('base64url')
    return { tag, hash: sha256(randomBytes(32)).toString('base64url') }
  }
  return {
    store,
    user,
    ref,
    async issue(changes = {}) {
      const link = ref()
      await store.issueLink({
        ref: link,
        content: { user, kind: 'settings' },
        ttlMs: 60_000,
        epochTtlMs: 180_000,
        ...changes,
      })
      return link
    },
    async exchange(link, { session = ref(), attempt = uniqueName('attempt'), state = 'active', codeHash } = {}) {
      const result = await store.exchange({
        link,
        session,
        attempt,
        state,
        limits: LIMITS,
        ...(codeHash && { codeHash }),
      })
      return { session, outcome: result.outcome === 'opened' ? 'opened' : result.reason }
    },
    async look(session) {
      const result = await store.read(session)
      return result.outcome === 'found' ? 'found' : result.reason
    },
  }
}

/** Where this user's records lie: the first digit of what is minted for the user. */
async function partitionOf(store: SettingsStore, user: SettingsUser): Promise<string> {
  const settings = createSettingsSessions({ baseUrl: 'http://127.0.0.1/settings', store, audit: createAudit() })
  let url = ''
  await settings.deliver(await settings.issueLink(user), (link) => {
    url = link.reveal('deliver-to-user')
  })
  const partition = /l1\.([0-9a-f])/.exec(url)?.[1]
  assert.ok(partition !== undefined, 'a link has a tag')
  return partition
}

/**
 * What every store of links and sessions keeps to. `makeStore` is called once for each case; the store may hold what
 * earlier cases left in it. Times are real: a case takes a second at most.
 *
 * @example
 * for (const { title, run } of settingsStoreContract(() => mySessions(database))) test(title, run)
 */
export function settingsStoreContract(
  makeStore: () => SettingsStore | Promise<SettingsStore>,
): readonly ContractCase[] {
  return Object.entries(cases).map(([title, check]) => ({
    title,
    run: async () => check(await worldOf(await makeStore())),
  }))
}
