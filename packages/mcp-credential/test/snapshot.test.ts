import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMcpCredentials,
  type IssuedCredential,
  type McpCredentialsOptions,
  memoryCredentials,
} from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { agent } from './harness.js'

const MINUTE = 60_000
let folder: string
let file: string
let clock: FakeClock
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-snapshot-'))
  file = join(folder, 'credentials')
  clock = fakeClock()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function process(maxCredentials = 1000, life: McpCredentialsOptions = {}) {
  const store = memoryCredentials({ clock, maxCredentials })
  const credentials = createMcpCredentials({ store, audit: recordedAudit().audit, ...life })
  const standing = (issued: IssuedCredential) => (credentials.resolve(issued.token) as { standing: string }).standing
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 15_000) {
      clock.advance(Math.min(left, 15_000))
      store.tick()
    }
  }
  return { credentials, standing, pass }
}

test('a restart is not a revocation: credentials, aliases, overlaps and retirements survive it', async () => {
  const one = process()
  const plain = await one.credentials.issue({ ...agent, providerSessionId: 's1' })
  const old = await one.credentials.issue({ ...agent, threadId: 't2' })
  const holder = await one.credentials.issue({ ...agent, threadId: 't2', onExisting: 'carry' })
  const overlapping = await one.credentials.issue({ ...agent, threadId: 't3' })
  await one.credentials.issue({ ...agent, threadId: 't3', overlapSeconds: 10 * 60 })
  const revoked = await one.credentials.issue({ ...agent, threadId: 't4' })
  await revoked.revoke()
  await one.credentials.retire('t5')
  one.pass(20 * MINUTE - 15_000)
  expect(one.standing(plain)).toBe('live')
  one.pass(5 * MINUTE)
  await one.credentials.touch('t2')
  expect(await one.credentials.snapshot(file)).toBe(4)
  clock.advance(5 * 60 * MINUTE)

  const two = process()
  expect(await two.credentials.restore(file)).toBe(4)
  expect([plain, old, holder, revoked].map(two.standing)).toEqual(['live', 'live', 'live', 'unknown'])
  expect(((await two.credentials.resolve(old.token)).credential ?? holder).credentialId).toBe(holder.credentialId)
  expect(two.standing(overlapping)).toBe('unknown')
  await expect(two.credentials.issue({ ...agent, threadId: 't5' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
  })
  await two.credentials.revokeProviderSession('s1')
  expect(two.standing(plain)).toBe('revoked')
  await two.credentials.revoke(holder.credentialId)
  expect(two.standing(old)).toBe('revoked')
})

test('[mcp-token-nowhere] a snapshot is private, and holds hashes only', async () => {
  const { credentials } = process()
  const issued = await credentials.issue(agent)
  await credentials.snapshot(file)
  await issued.revoke()
  for (const name of readdirSync(folder)) {
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    const text = readFileSync(join(folder, name), 'utf8')
    expect(text).toContain(issued.credentialId)
    expect(text).not.toContain(issued.token.slice(issued.token.lastIndexOf('_') + 1, -6))
  }
  expect(readdirSync(folder).sort()).toEqual(['credentials', 'credentials.ended'])
})

test('[mcp-lost-epochs] a restart from an old snapshot brings back nothing that was ended since', async () => {
  const one = process()
  const issue = (threadId: string, more: object = {}) => one.credentials.issue({ ...agent, threadId, ...more })
  const byId = await issue('by-id')
  const byThread = await issue('by-thread')
  const byProvider = await issue('by-provider', { providerInstanceId: 'p2' })
  const bySession = await issue('by-session', { providerSessionId: 's1' })
  const retired = await issue('retired')
  const superseded = await issue('superseded')
  const overlapping = await issue('overlapping')
  const alias = await issue('carried')
  const kept = await issue('kept')
  await one.credentials.snapshot(file)
  const old = readFileSync(file)
  await one.credentials.snapshot(file)
  await byId.revoke()
  await one.credentials.revokeThread('by-thread')
  const after = await issue('by-thread')
  await one.credentials.revokeProvider('p2')
  await one.credentials.revokeProviderSession('s1')
  await one.credentials.retire('retired')
  await issue('superseded')
  await issue('overlapping', { overlapSeconds: 10 * 60 })
  const holder = await issue('carried', { onExisting: 'carry' })
  await holder.revoke()
  await one.credentials.snapshot(file)
  const afterwards = process()
  await afterwards.credentials.restore(file)
  expect([after, kept, overlapping].map(afterwards.standing)).toEqual(['live', 'live', 'live'])
  // Somebody puts the old file back.
  writeFileSync(file, old)
  const two = process()
  await two.credentials.restore(file)
  const ended = [byId, byThread, byProvider, bySession, retired, superseded, alias]
  expect(ended.map(two.standing)).toEqual(ended.map(() => 'unknown'))
  expect([overlapping, kept].map(two.standing)).toEqual(['live', 'live'])
  two.pass(11 * MINUTE)
  expect([overlapping, kept].map(two.standing)).toEqual(['superseded', 'live'])
  await two.credentials.revokeAll()
  const three = process()
  await three.credentials.restore(file)
  expect(three.standing(kept)).toBe('unknown')
})

test('[mcp-lost-epochs] a revocation that is noted after a line that a crash cut off is not lost with it', async () => {
  const one = process()
  const issued = await one.credentials.issue(agent)
  await one.credentials.snapshot(file)
  writeFileSync(`${file}.ended`, '{"at":17', { flag: 'a' })
  const two = process()
  await two.credentials.restore(file)
  expect(await two.credentials.revoke(issued.credentialId)).toBe(true)
  const three = process()
  await three.credentials.restore(file)
  expect(three.standing(issued)).toBe('unknown')
})

test('[mcp-lost-epochs] what is revoked while a snapshot is written and the journal compacted stays revoked', async () => {
  const { credentials } = process()
  const waiting: IssuedCredential[] = []
  for (let index = 0; index < 500; index += 1) {
    waiting.push(await credentials.issue({ ...agent, threadId: `t${index}` }))
  }
  writeFileSync(`${file}.ended`, '{"at":1,"scope":"credential","id":"long-gone","until":1}\n')
  let isWritten = false
  const written = credentials.snapshot(file).then(() => {
    isWritten = true
  })
  const revoked: IssuedCredential[] = []
  while (!isWritten && waiting.length > 0) {
    const next = waiting.pop() as IssuedCredential
    await next.revoke()
    revoked.push(next)
    await new Promise(setImmediate)
  }
  await written
  expect(readFileSync(`${file}.ended`, 'utf8')).not.toContain('long-gone')
  const two = process()
  await two.credentials.restore(file)
  expect(revoked.length).toBeGreaterThan(1)
  expect(revoked.map(two.standing)).toEqual(revoked.map(() => 'unknown'))
})

test('[mcp-lost-epochs] a revocation is noted for as long as touches let an old snapshot live', async () => {
  const life = { idleTimeoutSeconds: 30 * 60, maximumLifetimeSeconds: 60 * 60 }
  const one = process(1000, life)
  const issued = await one.credentials.issue(agent)
  one.pass(25 * MINUTE)
  await one.credentials.touch('t1')
  await one.credentials.snapshot(file)
  const old = readFileSync(file)
  await issued.revoke()
  one.pass(45 * MINUTE)
  await one.credentials.snapshot(file)
  writeFileSync(file, old)
  const two = process(1000, life)
  await two.credentials.restore(file)
  expect(two.standing(issued)).toBe('unknown')
})

test('[mcp-lost-epochs] a later overlap does not extend an earlier one', async () => {
  const one = process()
  const first = await one.credentials.issue(agent)
  await one.credentials.snapshot(file)
  await one.credentials.issue({ ...agent, overlapSeconds: 60 })
  await one.credentials.issue({ ...agent, overlapSeconds: 20 * 60 })
  one.pass(2 * MINUTE)
  expect(one.standing(first)).toBe('superseded')
  const two = process()
  await two.credentials.restore(file)
  expect(two.standing(first)).toBe('unknown')
})

test('[mcp-lost-epochs] a carried token survives a restart that the end of its session preceded', async () => {
  const one = process()
  const issue = (more: object = {}) => one.credentials.issue({ ...agent, ...more })
  await one.credentials.snapshot(file)
  const first = await issue({ providerSessionId: 's1' })
  const revoked = await issue({ onExisting: 'carry' })
  const holder = await issue({ onExisting: 'carry' })
  await revoked.revoke()
  await one.credentials.snapshot(file)
  await one.credentials.revokeProviderSession('s1')
  one.pass(2 * MINUTE)
  expect([first, revoked, holder].map(one.standing)).toEqual(['live', 'revoked', 'live'])
  const two = process()
  await two.credentials.restore(file)
  expect([first, revoked, holder].map(two.standing)).toEqual(['live', 'unknown', 'live'])
  await two.credentials.snapshot(file)
  await holder.revoke()
  const three = process()
  await three.credentials.restore(file)
  expect([first, revoked, holder].map(three.standing)).toEqual(['unknown', 'unknown', 'unknown'])
})

test('[mcp-lost-epochs] a clock that is set back before a restart revives nothing, and ends nothing new', async () => {
  const one = process()
  const byId = await one.credentials.issue(agent)
  const byThread = await one.credentials.issue({ ...agent, threadId: 't2' })
  await one.credentials.snapshot(file)
  await byId.revoke()
  await one.credentials.revokeThread('t2')
  clock.jump(-60 * MINUTE)
  const two = process()
  await two.credentials.restore(file)
  expect([byId, byThread].map(two.standing)).toEqual(['unknown', 'unknown'])
  const fresh = await two.credentials.issue({ ...agent, threadId: 't2' })
  await two.credentials.snapshot(file)
  const three = process()
  await three.credentials.restore(file)
  expect(three.standing(fresh)).toBe('live')
})

test('[mcp-lost-epochs] a restart after a suspend ends nothing that was just used, and revives nothing', async () => {
  const life = { maximumLifetimeSeconds: 60 * 60 }
  const one = process(1000, life)
  const used = await one.credentials.issue(agent)
  const overlapped = await one.credentials.issue({ ...agent, threadId: 't2' })
  const revoked = await one.credentials.issue({ ...agent, threadId: 't3' })
  await one.credentials.snapshot(file)
  clock.jump(9 * 60 * MINUTE)
  one.pass(20 * MINUTE)
  expect(one.standing(used)).toBe('live')
  await one.credentials.issue({ ...agent, threadId: 't2', overlapSeconds: 10 * 60 })
  await one.credentials.retire('t4', { blockSeconds: 10 * 60 })
  await revoked.revoke()
  await one.credentials.snapshot(file)
  const two = process(1000, life)
  await two.credentials.restore(file)
  expect([used, overlapped, revoked].map(two.standing)).toEqual(['live', 'live', 'unknown'])
  await expect(two.credentials.issue({ ...agent, threadId: 't4' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
  })
  two.pass(11 * MINUTE)
  expect(two.standing(overlapped)).toBe('superseded')
  expect((await two.credentials.issue({ ...agent, threadId: 't4' })).threadId).toBe('t4')
})

test('[mcp-lost-epochs] what was issued before the clock was set back stays revoked after a restart', async () => {
  const one = process()
  clock.jump(365 * 24 * 60 * MINUTE)
  const issued = await one.credentials.issue(agent)
  clock.jump(-365 * 24 * 60 * MINUTE)
  await one.credentials.snapshot(file)
  await one.credentials.revokeThread('t1')
  const two = process()
  await two.credentials.restore(file)
  expect(two.standing(issued)).toBe('unknown')
})

test('a revocation that cannot be noted on disk is reported, and still counts', async () => {
  const { credentials, standing } = process()
  const issued = await credentials.issue(agent)
  await credentials.snapshot(file)
  rmSync(folder, { recursive: true })
  await expect(issued.revoke()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  expect(standing(issued)).toBe('revoked')
})

test('a damaged snapshot restores nothing, a missing one is a first start, and too large a one is refused', async () => {
  const one = process()
  const issued = await one.credentials.issue(agent)
  await one.credentials.issue({ ...agent, threadId: 't2' })
  await one.credentials.snapshot(file)
  const whole = readFileSync(file, 'utf8')
  const two = process()
  for (const text of ['', '{}', whole.slice(0, -20), whole.split('\n').slice(0, 2).join('\n'), `${whole}{}\n`]) {
    writeFileSync(file, text)
    const error = await two.credentials.restore(file).catch((one: Error) => one)
    expect(error).toMatchObject({ code: 'ERR_COUNTERSIGN_SNAPSHOT_INVALID' })
    expect(two.standing(issued)).toBe('unknown')
  }
  expect(await two.credentials.restore(join(folder, 'none'))).toBe(0)
  writeFileSync(file, whole)
  await expect(process(1).credentials.restore(file)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  expect(existsSync(file)).toBe(true)
})

test('a Redis store keeps its state itself, and says so', async () => {
  const redis = new Redis({ lazyConnect: true })
  const credentials = createMcpCredentials({ store: redisCredentials(redis), audit: recordedAudit().audit })
  await expect(credentials.snapshot(file)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_SNAPSHOT_UNSUPPORTED' })
  redis.disconnect()
})
