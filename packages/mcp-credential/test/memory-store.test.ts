import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MemoryCredentialsOptions, memoryCredentials } from '@countersign/mcp-credential'
import type { CredentialLife } from '@countersign/mcp-credential/store'
import { afterEach, describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { resolveLife } from '../src/registry/life.js'
import { mintToken } from '../src/token.js'

const MINUTE_MS = 60_000
const HALF_HOUR_MS = 1_800_000
const digest = randomBytes(32)
const lifeOf = (slideOn: 'use' | 'touch', isRevivable = false): CredentialLife =>
  resolveLife(
    'test',
    { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn },
    isRevivable,
  )
const life = lifeOf('use')

const open = new Set<{ close(): void }>()
let folder: string | undefined
afterEach(() => {
  for (const store of open) store.close()
  open.clear()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  folder = undefined
})

/** A store on a clock of the test's own. */
function started(options: MemoryCredentialsOptions = {}) {
  const clock = fakeClock(1_800_000_000_000)
  const store = memoryCredentials({ clock, ...options })
  open.add(store as { close(): void })
  const issue = (threadId = 't1', lived = life) => {
    const subject = { threadId, providerInstanceId: 'p1', providerSessionId: undefined }
    const { id } = mintToken('mcps', subject)
    const terms = { id, digest, capabilities: ['a'], onExisting: 'keep', overlapMs: 0 } as const
    expect(store.issue({ ...terms, ...subject }, lived)).toMatchObject({ outcome: 'issued' })
    return id
  }
  /** Lets the computer run, awake. */
  const run = (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      clock.advance(Math.min(left, 10_000))
      store.tick()
    }
  }
  return { store, clock, issue, run }
}

describe('a decision in memory', () => {
  test('grants the holder of the secret, and tells any other one nothing of the record', () => {
    const { store, issue } = started()
    const id = issue()
    expect(store.resolve(id, digest, life)).toMatchObject({
      ...{ standing: 'live', isProven: true },
      credential: { credentialId: id, threadId: 't1', capabilities: ['a'] },
    })
    expect(store.resolve(id, randomBytes(32), life)).toEqual({ isProven: false })
    expect(store.resolve('none', digest, life)).toBeUndefined()
    expect(store.resolve('none', Buffer.alloc(32), life)).toBeUndefined()
  })

  test('moves the deadline where a use counts, and there alone', () => {
    for (const [slideOn, standing] of [
      ['use', 'live'],
      ['touch', 'idle'],
    ] as const) {
      const { store, issue, run } = started()
      const own = lifeOf(slideOn)
      const id = issue('t1', own)
      run(25 * MINUTE_MS)
      store.resolve(id, digest, own)
      run(25 * MINUTE_MS)
      expect(store.resolve(id, digest, own)).toMatchObject({ standing, isProven: true })
    }
  })

  test('of one that has ended says how late it came, and its last reason', () => {
    const { store, issue, run } = started()
    const id = issue()
    run(HALF_HOUR_MS + 10 * MINUTE_MS)
    const found = store.resolve(id, digest, life)
    expect(found).toMatchObject({ standing: 'idle', isProven: true, lateMs: expect.any(Number) })
    expect(store.peek(id, life)).toMatchObject({ standing: 'idle', isProven: false, credential: { credentialId: id } })
    expect(store.revoke(id, life)).toBe(true)
    expect(store.resolve(id, digest, life)).toMatchObject({ standing: 'revoked', isProven: true })
  })

  test('revives one that was idle, and nothing else', () => {
    const own = lifeOf('use', true)
    const { store, issue, run } = started()
    const [idle, revoked] = [issue('t1', own), issue('t2', own)]
    store.revoke(revoked, own)
    run(HALF_HOUR_MS + 10 * MINUTE_MS)
    expect(store.resolve(idle, digest, own)).toMatchObject({ standing: 'idle' })
    expect(store.revive(idle, randomBytes(32), own)).toEqual({ isProven: false })
    expect(store.revive(idle, digest, own)).toMatchObject({ standing: 'live', isProven: true })
    expect(store.revive(revoked, digest, own)).toMatchObject({ standing: 'revoked' })
    run(25 * MINUTE_MS)
    expect(store.resolve(idle, digest, own)).toMatchObject({ standing: 'live' })
  })

  test('is looked at without a secret as what it is, and as nothing where there is none', () => {
    const { store, issue } = started()
    const id = issue()
    expect(store.peek(id, life)).toMatchObject({ standing: 'live', isProven: false, credential: { credentialId: id } })
    expect(store.peek('none', life)).toBeUndefined()
  })
})

test('a touch says whether there is such a thread, and counts where touches count', () => {
  const own = lifeOf('touch')
  const { store, issue, run } = started()
  const id = issue('t1', own)
  expect([store.touch('t1', own), store.touch('t2', own), store.touch('t1', life)]).toEqual([true, false, true])
  run(25 * MINUTE_MS)
  store.touch('t1', own)
  run(25 * MINUTE_MS)
  expect(store.resolve(id, digest, own)).toMatchObject({ standing: 'live' })
})

test('what was ended says so once', () => {
  const { store, issue } = started()
  const id = issue()
  expect([store.revoke(id, life), store.revoke(id, life), store.revoke('none', life)]).toEqual([true, false, false])
  issue('t2')
  expect([store.revokeScope('thread', 't2'), store.revokeScope('thread', 't2')]).toEqual([true, false])
})

describe('a file', () => {
  test('restores what was issued and what was revoked, and the store says that it did', () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-memory-store-'))
    const file = join(folder, 'credentials')
    const before = started({ file })
    expect(before.store.isRestored).toBe(false)
    const [live, revoked] = [before.issue('t1'), before.issue('t2')]
    before.store.revoke(revoked, life)
    before.store.close?.()
    const { store } = started({ file, fsync: 'never' })
    expect(store.isRestored).toBe(true)
    expect(store.resolve(live, digest, life)).toMatchObject({ standing: 'live' })
    expect(store.resolve(revoked, digest, life)).toMatchObject({ standing: 'revoked' })
  })

  test('is what fsync is about: without one it is refused', () => {
    const refused = expect.objectContaining({
      ...{ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'fsync' },
      message: expect.stringMatching(/memoryCredentials: fsync applies to a file/),
    })
    expect(() => memoryCredentials({ fsync: 'never' })).toThrow(refused as unknown as Error)
  })
})
