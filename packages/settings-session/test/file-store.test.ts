import { fork } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FileStores, fileStores } from '@countersign/core/file'
import { fileSessions } from '@countersign/settings-session/file'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { messageFrom } from '../../../test/support/child-messages.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { mintTag, mintToken } from '../src/tokens.js'
import { storeChanges } from './support/store-changes.js'
import { claim, issue, LIMITS, look, newIdentity, newUser, open, opened, peek } from './support/store-world.js'

let root: string
const running: FileStores[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-sessions-'))
})
afterEach(() => {
  for (const files of running.splice(0)) files.close()
  rmSync(root, { recursive: true, force: true })
})

let folders = 0
function start(folder = join(root, `f${folders++}`), { clock = fakeClock(), maxEntries = 1000 } = {}) {
  const files = fileStores(folder, { fsync: 'never', clock })
  running.push(files)
  return { folder, files, clock, store: fileSessions(files, { maxEntries }) }
}

/** Another process starts with what one has written when it is killed now. */
function killed({ folder, clock }: ReturnType<typeof start>, maxEntries?: number) {
  const copy = join(root, `f${folders++}`)
  fileStores(copy)
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.lock')) copyFileSync(join(folder, name), join(copy, name))
  }
  return start(copy, { clock, ...(maxEntries === undefined ? {} : { maxEntries }) })
}

describe('[settings-file] killed before it and after it, a process has made the change:', () => {
  test.each(storeChanges.map((change) => [change.title, change] as const))('%s', async (_title, change) => {
    const one = start()
    const make = await change.prepare(one.store)
    const two = killed(one)
    expect(await make(two.store)).toBe(change.outcome)
    const three = killed(two)
    // Each writes all that it holds when it starts: what was read from the changes is what was read from the rows.
    const rows = (process: typeof two) =>
      readFileSync(join(process.folder, 'sessions'), 'utf8').replaceAll(/^\S+ /gm, '')
    const four = killed(three)
    expect(rows(four).replace(/{"generation".*/, '')).toBe(rows(three).replace(/{"generation".*/, ''))
  })
})

test('[settings-file] what was acknowledged is there after a kill, and what was ended stays so', async () => {
  const one = start()
  const [user, other] = [newUser({ team: 't1' }), newUser()]
  const identity = newIdentity()
  const first = await opened(one.store, user, { state: 'awaiting_identity' })
  const { rotated } = await claim(one.store, first.session, identity)
  const ended = await opened(one.store, user)
  await one.store.revoke(ended.session.tag)
  const revoked = await opened(one.store, other)
  const underWay = await issue(one.store, other)
  await one.store.revokeAll(other)
  const again = await opened(one.store, other)
  const unused = await issue(one.store, user)
  const held = await opened(one.store, user, { state: 'awaiting_identity' })
  let process = one
  for (let round = 0; round < 2; round += 1) {
    process = killed(process)
    const { store } = process
    const sessions = [rotated, again.session, held.session, ended.session, revoked.session, first.session]
    expect(await Promise.all(sessions.map((token) => look(store, token)))).toEqual([
      'found',
      'found',
      'found',
      'revoked',
      'revoked',
      'unknown',
    ])
    const links = [unused, held.link, again.link, underWay]
    expect(await Promise.all(links.map((token) => peek(store, token)))).toEqual(['open', 'open', 'spent', 'revoked'])
    expect(await store.identityOf(user)).toEqual(identity)
    expect(await store.returningUsers(identity)).toEqual([user])
    expect((await store.list(user)).map(({ id }) => id)).toEqual([rotated.tag])
    expect(await store.read(rotated)).toEqual(await one.store.read(rotated))
  }
  await process.store.revokeAll(user)
  expect(await killed(process).store.returningUsers(identity)).toEqual([])
})

test('[settings-file] a use keeps a session beyond a restart, and a session that was idle stays so', async () => {
  const one = start()
  const { session } = await opened(one.store, newUser())
  const { session: unused } = await opened(one.store, newUser())
  one.clock.advance(LIMITS.idleMs - 1)
  expect(await look(one.store, session)).toBe('found')
  const two = killed(one)
  one.clock.advance(1)
  expect([await look(two.store, session), await look(two.store, unused)]).toEqual(['found', 'idle'])
  const three = killed(two)
  one.clock.advance(LIMITS.idleMs)
  expect(await look(three.store, session)).toBe('expired')
})

test('[settings-file] a log holds no token, and what nobody proved writes no line', async () => {
  const one = start()
  const user = newUser()
  const link = await issue(one.store, user)
  const { session } = await open(one.store, link, { state: 'awaiting_identity' })
  const { rotated } = await claim(one.store, session, newIdentity())
  const signIn = mintToken('t', mintTag(0))
  await one.store.beginOAuth({ ref: signIn, session: rotated, isAgain: false, ttlMs: 60_000 })
  const path = join(one.folder, 'sessions')
  const { size } = statSync(path)
  for (const token of [link, session, rotated, signIn]) {
    const secret = token.text.slice(token.text.lastIndexOf('.') + 1)
    expect(readFileSync(path, 'utf8')).not.toContain(secret)
  }
  const forged = (type: 'l' | 's' | 't', { tag }: { tag: string }) => mintToken(type, tag)
  expect((await open(one.store, forged('l', link))).outcome).toBe('unknown')
  expect(await one.store.voidLink(forged('l', link))).toBe(false)
  expect((await claim(one.store, forged('s', rotated), newIdentity())).outcome).toBe('unknown')
  expect(await look(one.store, forged('s', rotated))).toBe('unknown')
  expect(await one.store.takeOAuth(forged('t', signIn))).toBeUndefined()
  expect(await one.store.revoke(mintTag(0))).toBeUndefined()
  expect(statSync(path).size).toBe(size)
})

test('[settings-file] full, it is unavailable and writes nothing; with less room the start fails', async () => {
  const one = start(undefined, { maxEntries: 2 })
  const user = newUser()
  const { session } = await opened(one.store, user)
  await issue(one.store, user)
  const path = join(one.folder, 'sessions')
  const { size } = statSync(path)
  await expect(issue(one.store, user)).rejects.toMatchObject({ dependency: 'session_store' })
  expect(statSync(path).size).toBe(size)
  expect(await look(killed(one, 2).store, session)).toBe('found')
  expect(() => killed(one, 1)).toThrow(expect.objectContaining({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' }))
})

test('[settings-file] a full disk is an outage for every change and every use, and nothing is lost by it', async () => {
  const child = fork(fileURLToPath(new URL('support/full-disk-process.ts', import.meta.url)), [join(root, 'full')], {
    execArgv: ['--conditions=dev-source', '--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const { full, after } = await messageFrom(child, (said) => said as { full: string[]; after: string[] })
  expect([...new Set(full)]).toEqual(['ERR_COUNTERSIGN_UNAVAILABLE session_store'])
  expect(after).toEqual([...storeChanges.map(({ outcome }) => outcome), 'found'])
}, 60_000)
