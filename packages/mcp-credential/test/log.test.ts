import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMcpCredentials,
  type IssuedCredential,
  type McpCredentialsOptions,
  memoryCredentials,
} from '@countersign/mcp-credential'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { agent } from './harness.js'

const MINUTE = 60_000
let folder: string
let file: string
let clock: FakeClock
const running: { close(): Promise<void> }[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-log-'))
  file = join(folder, 'credentials')
  clock = fakeClock()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()))
  rmSync(folder, { recursive: true, force: true })
})

/** A process with its credentials in this file. */
function start(path = file, options: McpCredentialsOptions = {}) {
  const store = memoryCredentials({ clock, file: path, fsync: 'never' })
  const credentials = createMcpCredentials({ store, audit: recordedAudit().audit, ...options })
  running.push(credentials)
  const standing = (issued: IssuedCredential) => (credentials.resolve(issued.token) as { standing: string }).standing
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 15_000) {
      clock.advance(Math.min(left, 15_000))
      store.tick()
    }
  }
  /** Its files as they are when it is killed now. */
  const killed = () => {
    const copy = join(folder, `killed-${readdirSync(folder).length}`)
    for (const part of ['', '.head']) copyFileSync(path + part, copy + part)
    return copy
  }
  return { file: path, store, credentials, standing, pass, killed }
}

/** The process is killed now, and another one starts. */
function restart(options: McpCredentialsOptions = {}) {
  const copy = join(folder, `killed-${readdirSync(folder).length}`)
  for (const part of ['', '.head']) copyFileSync(file + part, copy + part)
  return start(copy, options)
}

test('a killed process is not a revocation: all that was acknowledged is known, with its reason', async () => {
  const one = start()
  const issue = (threadId: string, more: object = {}) => one.credentials.issue({ ...agent, threadId, ...more })
  const plain = await issue('t1', { providerSessionId: 's1', capabilities: ['preview', 'edit'] })
  const old = await issue('t2')
  const holder = await issue('t2', { onExisting: 'carry' })
  const overlapping = await issue('t3')
  const next = await issue('t3', { overlapSeconds: 10 * 60 })
  const superseded = await issue('t4')
  const newest = await issue('t4')
  const ended = [
    await issue('by-id'),
    await issue('by-thread'),
    await issue('by-provider', { providerInstanceId: 'p2' }),
    await issue('by-session', { providerSessionId: 's2' }),
    await issue('retired'),
  ]
  await ended[0]?.revoke()
  await one.credentials.revokeThread('by-thread')
  await one.credentials.revokeProvider('p2')
  await one.credentials.revokeProviderSession('s2')
  await one.credentials.retire('retired')
  const again = await issue('by-thread')
  const live = [plain, old, holder, overlapping, next, newest, again]
  // The first one reads what was appended, the second one what the first one wrote again.
  let two = one
  for (let round = 0; round < 2; round += 1) {
    two = start(two.killed())
    expect(live.map(two.standing)).toEqual(live.map(() => 'live'))
    expect(ended.map(two.standing)).toEqual(ended.map(() => 'revoked'))
    expect(two.standing(superseded)).toBe('superseded')
    for (const { token } of [...live, ...ended, superseded]) {
      expect(await two.credentials.resolve(token)).toEqual(await one.credentials.resolve(token))
    }
    expect(await two.credentials.stats()).toEqual(await one.credentials.stats())
    await expect(two.credentials.issue({ ...agent, threadId: 'retired' })).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
    })
  }
  two.pass(11 * MINUTE)
  expect([overlapping, next].map(two.standing)).toEqual(['superseded', 'live'])
  await two.credentials.revokeProviderSession('s1')
  await two.credentials.revoke(holder.credentialId)
  expect([plain, old].map(two.standing)).toEqual(['revoked', 'revoked'])
  await one.credentials.revokeAll()
  const three = restart()
  expect(live.map(three.standing)).toEqual(live.map(() => 'revoked'))
})

test('what was forgotten before a restart stays forgotten: no revocation of it counts, and nothing revives it', async () => {
  const isAlive = { isAlive: () => true }
  for (const [options, ms] of [
    [{}, 95 * MINUTE],
    [isAlive, 25 * 60 * MINUTE],
  ] as const) {
    const one = start(join(folder, `of-${ms}`), { maximumLifetimeSeconds: 7 * 86_400, ...options })
    const old = await one.credentials.issue(agent)
    one.pass(ms)
    expect([one.standing(old), await one.credentials.revoke(old.credentialId)]).toEqual(['unknown', false])
    const two = start(one.killed(), { maximumLifetimeSeconds: 7 * 86_400, ...options })
    expect(await two.credentials.revoke(old.credentialId)).toBe(false)
    expect(start(one.killed(), options).standing(old)).toBe('unknown')
  }
})

test('[mcp-token-nowhere] a log is private, and holds hashes only', async () => {
  const { credentials } = start()
  const issued = await credentials.issue(agent)
  await issued.revoke()
  const secret = issued.token.slice(issued.token.lastIndexOf('_') + 1, -6)
  for (const name of readdirSync(folder)) {
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, name), 'utf8')).not.toContain(secret)
  }
  expect(readFileSync(file, 'utf8')).toContain(issued.credentialId)
  expect(readdirSync(folder).sort()).toEqual(['credentials', 'credentials.head', 'credentials.lock'])
  await credentials.close()
  expect(readdirSync(folder).sort()).toEqual(['credentials', 'credentials.head'])
})

test('[mcp-lost-epochs] an old copy that somebody puts back is refused, and restores nothing', async () => {
  const one = start()
  const issued = await one.credentials.issue(agent)
  const old = readFileSync(file)
  await issued.revoke()
  writeFileSync(file, old)
  expect(() => restart()).toThrow(/lacks 1 of its lines/)
})

test('uses and touches slide the deadlines of a process that is killed, a minute at a time', async () => {
  const one = start()
  const used = await one.credentials.issue(agent)
  const touched = await one.credentials.issue({ ...agent, threadId: 't2' })
  const unused = await one.credentials.issue({ ...agent, threadId: 't3' })
  one.pass(20 * MINUTE)
  one.standing(used)
  await one.credentials.touch('t2')
  const { size } = statSync(file)
  clock.advance(10_000)
  one.standing(used)
  await one.credentials.touch('t2')
  expect(statSync(file).size).toBe(size)
  const two = restart()
  two.pass(25 * MINUTE)
  expect([used, touched, unused].map(two.standing)).toEqual(['live', 'live', 'idle'])
  await two.credentials.touch('t2')
  const three = start(two.killed())
  three.pass(25 * MINUTE)
  expect([used, touched, unused].map(three.standing)).toEqual(['live', 'live', 'idle'])
  // A touch after a pause begins again, and what was idle by then stays so.
  three.pass(32 * MINUTE)
  await three.credentials.touch('t2')
  expect(start(three.killed()).standing(touched)).toBe('idle')
})

test('[mcp-lost-epochs] what was refused for its time is not live again after a restart, whatever the clock says', async () => {
  const one = start(file, { maximumLifetimeSeconds: 3600, absoluteLifetimeSeconds: 3600 })
  const idle = await one.credentials.issue(agent)
  const overlapped = await one.credentials.issue({ ...agent, threadId: 't2' })
  await one.credentials.issue({ ...agent, threadId: 't2', overlapSeconds: 25 * 60 })
  const kept = await one.credentials.issue({ ...agent, threadId: 't3' })
  one.pass(25 * MINUTE)
  expect([overlapped, kept].map(one.standing)).toEqual(['live', 'live'])
  // Between two ticks.
  clock.advance(1)
  expect(one.standing(overlapped)).toBe('superseded')
  clock.jump(-10 * MINUTE)
  expect([overlapped, kept].map(restart().standing)).toEqual(['superseded', 'live'])
  one.pass(6 * MINUTE - 1)
  clock.advance(1)
  expect(one.standing(idle)).toBe('idle')
  clock.jump(-10 * MINUTE)
  expect([idle, kept].map(restart().standing)).toEqual(['idle', 'live'])
  expect(one.standing(kept)).toBe('live')
  one.pass(25 * MINUTE)
  expect(one.standing(kept)).toBe('live')
  one.pass(4 * MINUTE - 1)
  clock.advance(1)
  expect(one.standing(kept)).toBe('expired')
  clock.jump(-10 * MINUTE)
  expect(restart().standing(kept)).toBe('expired')
})

test('a restart takes time for lifetimes, and none for idleness', async () => {
  const one = start(file, { maximumLifetimeSeconds: 6 * 3600 })
  const issued = await one.credentials.issue(agent)
  one.pass(20 * MINUTE)
  clock.advance(5 * 60 * MINUTE)
  const two = restart({ maximumLifetimeSeconds: 6 * 3600 })
  expect(two.credentials.check(issued.credentialId)).toMatchObject({
    standing: 'live',
    credential: { expiresAt: issued.expiresAt, idleAt: clock.now() + 11 * MINUTE },
  })
  clock.advance(60 * MINUTE)
  expect(restart().standing(issued)).toBe('expired')
})

test('[mcp-lost-epochs] a clock that is set back revives nothing that was ended, and ends nothing new', async () => {
  const one = start()
  clock.jump(365 * 24 * 60 * MINUTE)
  const issued = await one.credentials.issue(agent)
  const ended = await one.credentials.issue({ ...agent, threadId: 't2' })
  clock.jump(-365 * 24 * 60 * MINUTE)
  await one.credentials.revokeThread('t2')
  const two = restart()
  expect([issued, ended].map(two.standing)).toEqual(['live', 'revoked'])
  clock.jump(-60 * MINUTE)
  const fresh = await two.credentials.issue({ ...agent, threadId: 't2' })
  expect([issued, ended, fresh].map(start(two.killed()).standing)).toEqual(['live', 'revoked', 'live'])
})

test('a restart after a suspend ends nothing that was just used, and revives nothing', async () => {
  const life = { maximumLifetimeSeconds: 60 * 60 }
  const one = start(file, life)
  const used = await one.credentials.issue(agent)
  const revoked = await one.credentials.issue({ ...agent, threadId: 't3' })
  clock.jump(9 * 60 * MINUTE)
  one.pass(20 * MINUTE)
  expect(one.standing(used)).toBe('live')
  await one.credentials.retire('t4', { blockSeconds: 10 * 60 })
  await revoked.revoke()
  const two = restart(life)
  expect([used, revoked].map(two.standing)).toEqual(['live', 'revoked'])
  two.pass(11 * MINUTE)
  expect((await two.credentials.issue({ ...agent, threadId: 't4' })).threadId).toBe('t4')
})

test('aliases and overlaps end after a restart as they would have without', async () => {
  const one = start()
  const issue = (more: object = {}) => one.credentials.issue({ ...agent, ...more })
  const first = await issue({ providerSessionId: 's1' })
  const revoked = await issue({ onExisting: 'carry' })
  const holder = await issue({ onExisting: 'carry' })
  await revoked.revoke()
  await one.credentials.revokeProviderSession('s1')
  const early = await issue({ threadId: 't2' })
  await issue({ threadId: 't2', overlapSeconds: 60 })
  await issue({ threadId: 't2', overlapSeconds: 20 * 60 })
  const two = restart()
  expect([first, revoked, holder].map(two.standing)).toEqual(['live', 'revoked', 'live'])
  two.pass(2 * MINUTE)
  expect(two.standing(early)).toBe('superseded')
  await two.credentials.revoke(holder.credentialId)
  expect([first, revoked, holder].map(start(two.killed()).standing)).toEqual(['revoked', 'revoked', 'revoked'])
})

test('a log that is written again while it is used holds what it held, and does not grow without end', async () => {
  const one = start()
  const kept = await one.credentials.issue({ ...agent, threadId: 'kept' })
  const ended = await one.credentials.issue({ ...agent, threadId: 'ended' })
  await ended.revoke()
  let largest = 0
  for (let round = 0; round < 6; round += 1) {
    for (let index = 0; index < 2000; index += 1) await one.credentials.touch(`t${index}`)
    for (let index = 0; index < 200; index += 1) {
      await one.credentials.issue({ ...agent, threadId: `t${index}`, capabilities: ['x'.repeat(64), 'y'.repeat(64)] })
    }
    one.pass(30 * MINUTE)
    one.standing(kept)
    largest = Math.max(largest, statSync(file).size)
  }
  expect(largest).toBeLessThan(3_000_000)
  const two = restart()
  expect([two.standing(kept), two.standing(ended)]).toEqual(['live', expect.stringMatching(/^(?:revoked|unknown)$/)])
  expect(await two.credentials.stats()).toEqual(await one.credentials.stats())
})
