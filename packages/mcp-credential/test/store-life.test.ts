import { createMcpCredentials, type IssuedCredential, type McpCredentialsOptions } from '@countersign/mcp-credential'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import {
  clientSources,
  clusterSource,
  memorySource,
  pgliteSource,
  redisSource,
  type Subject,
} from './support/subjects.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const agent = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }

const sources = [memorySource(), redisSource(), clusterSource(), ...clientSources(), pgliteSource()]

describe.each(sources)('the life of credentials in $name', (source) => {
  let subject: Subject

  beforeAll(() => source.open(), 60_000)
  afterAll(() => source.close())
  beforeEach(async () => {
    subject = await source.fresh()
  })
  afterEach(async () => {
    expect(await subject.leftovers()).toEqual([])
  })

  const registry = (options: Omit<McpCredentialsOptions, 'store'> = {}) =>
    createMcpCredentials({ store: subject.store, audit: recordedAudit().audit, ...options })

  async function standings(credentials: ReturnType<typeof registry>, ...issued: readonly IssuedCredential[]) {
    const found: string[] = []
    for (const { token } of issued) found.push((await credentials.resolve(token)).standing)
    return found
  }

  test('a credential is what it was issued as', async () => {
    const credentials = registry()
    const issued = await credentials.issue({ ...agent, providerSessionId: 's1' })
    const { standing, credential } = await credentials.resolve(issued.token)
    expect(standing).toBe('live')
    expect(credential).toMatchObject({ ...agent, providerSessionId: 's1', credentialId: issued.credentialId })
    expect((credential?.expiresAt ?? 0) - issued.issuedAt).toBeGreaterThanOrEqual(30 * DAY)
    expect((credential?.idleAt ?? 0) - issued.issuedAt).toBeGreaterThanOrEqual(31 * MINUTE)
  })

  test('[mcp-slides] a credential used within its timeout stays live, and a quiet one ends at most a minute late', async () => {
    const credentials = registry()
    const issued = await credentials.issue(agent)
    for (let round = 0; round < 5; round += 1) {
      await subject.pass(30 * MINUTE - 2000)
      expect(await standings(credentials, issued)).toEqual(['live'])
    }
    await subject.pass(31 * MINUTE + 2000)
    expect(await standings(credentials, issued)).toEqual(['idle'])
  })

  test('[mcp-slides] neither deadline moves back, whatever lifetime another process slides with', async () => {
    const issued = await registry().issue(agent)
    const before = await registry().resolve(issued.token)
    await subject.pass(2 * MINUTE)
    const short = registry({ idleTimeoutSeconds: 60, maximumLifetimeSeconds: 3600 })
    const after = await short.resolve(issued.token)
    expect(after.credential?.expiresAt ?? 0).toBeGreaterThanOrEqual((before.credential?.expiresAt ?? 1) - 2 * MINUTE)
    await subject.pass(20 * MINUTE)
    expect(await standings(short, issued)).toEqual(['live'])
  })

  test('[mcp-unused-dies] an unused credential dies at its cap, a used one outlives its first expiry', async () => {
    const credentials = registry({ idleTimeoutSeconds: 3600, maximumLifetimeSeconds: 3600 })
    const unused = await credentials.issue(agent)
    const used = await credentials.issue({ ...agent, threadId: 't2' })
    for (let round = 0; round < 4; round += 1) {
      await subject.pass(25 * MINUTE)
      expect(await standings(credentials, used)).toEqual(['live'])
    }
    expect(await standings(credentials, unused, used)).toEqual(['expired', 'live'])
  })

  test('no use and no touch keeps a credential beyond its absolute lifetime', async () => {
    const credentials = registry({ absoluteLifetimeSeconds: 3600 })
    const issued = await credentials.issue(agent)
    for (let round = 0; round < 5; round += 1) {
      await subject.pass(11 * MINUTE)
      await credentials.touch('t1')
      expect(await standings(credentials, issued)).toEqual(['live'])
    }
    await subject.pass(6 * MINUTE)
    await credentials.touch('t1')
    expect(await standings(credentials, issued)).toEqual(['expired'])
  })

  test('[mcp-touch-one-thread] a touch keeps the credentials of its thread and no others', async () => {
    const credentials = registry()
    const touched = await credentials.issue(agent)
    const other = await credentials.issue({ ...agent, threadId: 't2' })
    await subject.pass(20 * MINUTE)
    expect(await credentials.touch('t1')).toBe(true)
    await subject.pass(20 * MINUTE)
    expect(await standings(credentials, touched, other)).toEqual(['live', 'idle'])
    expect(await credentials.touch('t3')).toBe(false)
  })

  test('touches alone keep a credential for days, with its epochs', async () => {
    const credentials = registry({ maximumLifetimeSeconds: 86_400 })
    const issued = await credentials.issue({ ...agent, providerSessionId: 's1' })
    for (let round = 0; round < 130; round += 1) {
      await subject.pass(29 * MINUTE)
      await credentials.touch('t1')
    }
    expect(await standings(credentials, issued)).toEqual(['live'])
  })

  test('a touch revives nothing', async () => {
    const credentials = registry()
    const issued = await credentials.issue(agent)
    await credentials.touch('t1')
    await subject.pass(35 * MINUTE)
    await credentials.touch('t1')
    expect(await standings(credentials, issued)).toEqual(['idle'])
  })

  test('slideOn says what counts: use, touch, or both', async () => {
    const byUse = registry({ slideOn: 'use' })
    const byTouch = registry({ slideOn: 'touch' })
    const used = await byUse.issue(agent)
    const touched = await byTouch.issue({ ...agent, threadId: 't2' })
    await subject.pass(20 * MINUTE)
    await byUse.touch('t1')
    await standings(byTouch, touched)
    await subject.pass(12 * MINUTE)
    expect(await standings(byUse, used)).toEqual(['idle'])
    expect(await standings(byTouch, touched)).toEqual(['idle'])
  })

  test('[mcp-alive-revives-idle] isAlive revives an idle credential, never a revoked or an expired one', async () => {
    let asked = 0
    const credentials = registry({
      absoluteLifetimeSeconds: 30 * 3600,
      isAlive: ({ threadId }) => {
        asked += 1
        return threadId === 't1'
      },
    })
    const thinking = await credentials.issue(agent)
    const forgotten = await credentials.issue({ ...agent, threadId: 't2' })
    const revoked = await credentials.issue({ ...agent, providerInstanceId: 'p2' })
    await subject.pass(23 * HOUR)
    await revoked.revoke()
    expect(await standings(credentials, revoked)).toEqual(['revoked'])
    expect(asked).toBe(0)
    expect(await standings(credentials, thinking, forgotten)).toEqual(['live', 'idle'])
    expect(asked).toBe(2)
    expect(await standings(credentials, thinking)).toEqual(['live'])
    expect(asked).toBe(2)
    await subject.pass(8 * HOUR)
    expect(await standings(credentials, thinking)).toEqual(['expired'])
    expect(asked).toBe(2)
  })

  test('without isAlive a dead credential is known for an hour, and then unknown', async () => {
    const credentials = registry()
    const issued = await credentials.issue(agent)
    await subject.pass(80 * MINUTE)
    expect(await standings(credentials, issued)).toEqual(['idle'])
    await subject.pass(15 * MINUTE)
    expect(await standings(credentials, issued)).toEqual(['unknown'])
  })
})
