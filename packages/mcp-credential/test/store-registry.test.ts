import { createMcpCredentials, type IssuedCredential, type McpCredentialsOptions } from '@countersign/mcp-credential'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { withOtherSecret } from './harness.js'
import {
  clientSources,
  clusterSource,
  memorySource,
  postgresSource,
  redisSource,
  type Subject,
} from './support/subjects.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const agent = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }

const sources = [memorySource(), redisSource(), clusterSource(), ...clientSources(), postgresSource()]

describe.each(sources)('the registry of credentials in $name', (source) => {
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

  test('[mcp-obsolete-handle] the handle of a superseded credential cannot revoke its replacement', async () => {
    const credentials = registry()
    const old = await credentials.issue(agent)
    const current = await credentials.issue(agent)
    expect(current.supersededIds).toEqual([old.credentialId])
    await old.revoke()
    expect(await standings(credentials, old, current)).toEqual(['revoked', 'live'])
    expect(await current.revoke()).toBe(true)
    expect(await current.revoke()).toBe(false)
    expect(await standings(credentials, current)).toEqual(['revoked'])
  })

  test('[mcp-overlap-and-carry] each superseded credential is usable for its own overlap', async () => {
    const credentials = registry()
    const first = await credentials.issue(agent)
    const second = await credentials.issue({ ...agent, overlapSeconds: 60 })
    await subject.pass(30_000)
    const third = await credentials.issue({ ...agent, overlapSeconds: 5 * 60 })
    expect(await standings(credentials, first, second, third)).toEqual(['live', 'live', 'live'])
    await subject.pass(40_000)
    expect(await standings(credentials, first, second, third)).toEqual(['superseded', 'live', 'live'])
    const fourth = await credentials.issue(agent)
    expect(await standings(credentials, first, second, third, fourth)).toEqual([
      'superseded',
      'superseded',
      'superseded',
      'live',
    ])
  })

  test('keep leaves the others, and another provider is never superseded', async () => {
    const credentials = registry()
    const first = await credentials.issue(agent)
    const second = await credentials.issue({ ...agent, onExisting: 'keep' })
    const elsewhere = await credentials.issue({ ...agent, providerInstanceId: 'p2' })
    expect(await standings(credentials, first, second, elsewhere)).toEqual(['live', 'live', 'live'])
    const third = await credentials.issue(agent)
    expect([...third.supersededIds].sort()).toEqual([first.credentialId, second.credentialId].sort())
    expect(await standings(credentials, first, second, elsewhere, third)).toEqual([
      'superseded',
      'superseded',
      'live',
      'live',
    ])
  })

  test('[mcp-overlap-and-carry] a carried token stands for the newest credential, and dies with it', async () => {
    const credentials = registry()
    const first = await credentials.issue({ ...agent, providerSessionId: 's1' })
    const second = await credentials.issue({ ...agent, onExisting: 'carry', providerSessionId: 's2' })
    const third = await credentials.issue({ ...agent, onExisting: 'carry', capabilities: ['preview', 'edit'] })
    expect(second.carried).toEqual([first.credentialId])
    expect([...third.carried].sort()).toEqual([first.credentialId, second.credentialId].sort())
    for (const { token } of [first, second, third]) {
      const { standing, credential } = await credentials.resolve(token)
      expect([standing, credential?.credentialId]).toEqual(['live', third.credentialId])
      expect(credential?.capabilities).toEqual(['preview', 'edit'])
      expect(credential?.providerSessionId).toBeUndefined()
    }
    // Only the oldest token is used: it keeps the credential that it stands for.
    for (let round = 0; round < 4; round += 1) {
      await subject.pass(25 * MINUTE)
      expect(await standings(credentials, first)).toEqual(['live'])
    }
    expect(await standings(credentials, third)).toEqual(['live'])
    await second.revoke()
    expect(await standings(credentials, first, second, third)).toEqual(['live', 'revoked', 'live'])
    await third.revoke()
    expect(await standings(credentials, first, third)).toEqual(['revoked', 'revoked'])
  })

  test('[mcp-overlap-and-carry] to be carried gives a token no time beyond its overlap', async () => {
    const credentials = registry()
    const first = await credentials.issue(agent)
    const second = await credentials.issue({ ...agent, overlapSeconds: 10 * 60 })
    const holder = await credentials.issue({ ...agent, onExisting: 'carry' })
    expect(holder.carried).toEqual([second.credentialId])
    await subject.pass(9 * MINUTE)
    expect(await standings(credentials, first, second, holder)).toEqual(['live', 'live', 'live'])
    expect((await credentials.resolve(first.token)).credential?.credentialId).toBe(first.credentialId)
    await subject.pass(2 * MINUTE)
    expect(await standings(credentials, first, second, holder)).toEqual(['superseded', 'live', 'live'])
  })

  test('[mcp-overlap-and-carry] what ends the session of its own issue does not end a carried token', async () => {
    const credentials = registry()
    const first = await credentials.issue({ ...agent, providerSessionId: 's1' })
    const holder = await credentials.issue({ ...agent, onExisting: 'carry' })
    await credentials.revokeProviderSession('s1')
    // For longer than the hour for which an ended token is known.
    for (let round = 0; round < 4; round += 1) {
      await subject.pass(25 * MINUTE)
      expect(await standings(credentials, holder, first)).toEqual(['live', 'live'])
    }
    await subject.pass(32 * MINUTE)
    expect(await standings(credentials, holder, first)).toEqual(['idle', 'idle'])
  })

  test('[mcp-overlap-and-carry] carried tokens are counted as long as what they stand for, and leave with it', async () => {
    const credentials = registry()
    const count = async () => (await credentials.stats()).credentials
    const first = await credentials.issue(agent)
    await credentials.issue({ ...agent, onExisting: 'carry' })
    const third = await credentials.issue({ ...agent, onExisting: 'carry' })
    // Only the newest token is used: the older ones stay for as long.
    for (let round = 0; round < 10; round += 1) {
      await subject.pass(25 * MINUTE)
      expect(await standings(credentials, third)).toEqual(['live'])
      await subject.settle()
      expect(await count()).toBe(3)
    }
    expect(await standings(credentials, first)).toEqual(['live'])
    await subject.pass(32 * MINUTE)
    expect([await standings(credentials, first, third), await count()]).toEqual([['idle', 'idle'], 3])
    await subject.pass(62 * MINUTE)
    expect([await standings(credentials, first, third), await count()]).toEqual([['unknown', 'unknown'], 0])
    expect(await subject.records()).toBe(0)
  })

  test('[mcp-overlap-and-carry] no carried token is counted once what it stands for is revoked', async () => {
    const credentials = registry()
    await credentials.issue(agent)
    const second = await credentials.issue({ ...agent, onExisting: 'carry' })
    const third = await credentials.issue({ ...agent, onExisting: 'carry' })
    await second.revoke()
    expect(await credentials.stats()).toEqual({ credentials: 2 })
    await third.revoke()
    expect(await credentials.stats()).toEqual({ credentials: 0 })
  })

  test('carry does not revive what was idle or revoked', async () => {
    const credentials = registry({ isAlive: () => false })
    const revoked = await credentials.issue({ ...agent, onExisting: 'keep' })
    await revoked.revoke()
    const idle = await credentials.issue({ ...agent, onExisting: 'keep' })
    await subject.pass(40 * MINUTE)
    const fresh = await credentials.issue({ ...agent, onExisting: 'carry' })
    expect(fresh.carried).toEqual([])
    expect(await standings(credentials, revoked, idle, fresh)).toEqual(['revoked', 'idle', 'live'])
  })

  test('a revocation ends its scope and nothing else', async () => {
    const credentials = registry()
    const issue = (threadId: string, providerInstanceId: string, providerSessionId?: string) =>
      credentials.issue({ threadId, providerInstanceId, providerSessionId, onExisting: 'keep' })
    const a = await issue('t1', 'p1', 's1')
    const b = await issue('t1', 'p2', 's2')
    const c = await issue('t2', 'p1', 's1')
    const d = await issue('t3', 'p2', 's3')
    expect(await credentials.revokeProviderSession('s2')).toBe(true)
    expect(await standings(credentials, a, b, c, d)).toEqual(['live', 'revoked', 'live', 'live'])
    expect(await credentials.revokeProvider('p1')).toBe(true)
    expect(await standings(credentials, a, b, c, d)).toEqual(['revoked', 'revoked', 'revoked', 'live'])
    expect(await credentials.revokeThread('t3')).toBe(true)
    expect(await standings(credentials, d)).toEqual(['revoked'])
    expect(await credentials.revokeThread('t3')).toBe(false)
    const later = await issue('t1', 'p1', 's1')
    expect(await standings(credentials, a, later)).toEqual(['revoked', 'live'])
    expect(await credentials.revokeAll()).toBe(true)
    expect(await standings(credentials, later)).toEqual(['revoked'])
    const last = await issue('t3', 'p2')
    expect(await standings(credentials, d, last)).toEqual(['revoked', 'live'])
  })

  test('[mcp-issue-races] what was issued before a revocation is ended by it, and a retired thread gets nothing', async () => {
    const credentials = registry()
    for (let run = 0; run < 25; run += 1) {
      const threadId = `race-${run}`
      const early = credentials.issue({ threadId, providerInstanceId: 'p1', onExisting: 'keep' })
      const revoking = credentials.revokeThread(threadId)
      const retiring = credentials.retire(threadId)
      const late = credentials.issue({ threadId, providerInstanceId: 'p1', onExisting: 'keep' })
      const settled = await Promise.allSettled([early, late, revoking, retiring])
      const issued = settled.slice(0, 2).filter((result) => result.status === 'fulfilled')
      for (const result of issued) {
        const { token } = (result as PromiseFulfilledResult<IssuedCredential>).value
        expect((await credentials.resolve(token)).standing).toBe('revoked')
      }
      await expect(credentials.issue({ threadId, providerInstanceId: 'p1' })).rejects.toMatchObject({
        code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
      })
    }
    await subject.pass(25 * HOUR)
    const again = await credentials.issue({ threadId: 'race-0', providerInstanceId: 'p1' })
    expect(await standings(credentials, again)).toEqual(['live'])
  })

  test('[mcp-no-negative-caching] a token that was unknown is valid as soon as it is issued', async () => {
    const credentials = registry()
    const issued = await credentials.issue(agent)
    await credentials.revokeThread('t1')
    expect(await standings(credentials, issued)).toEqual(['revoked'])
    const wrong = await registry({ prefix: 'other' }).issue(agent)
    const forged = withOtherSecret(wrong.token)
    expect((await registry({ prefix: 'other' }).resolve(forged)).standing).toBe('wrong_secret')
    expect((await registry({ prefix: 'other' }).resolve(wrong.token)).standing).toBe('live')
  })

  test('[mcp-prototype-names] ids named like members of Object.prototype are ids', async () => {
    const credentials = registry()
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const issued: IssuedCredential[] = []
    for (const name of names) {
      issued.push(
        await credentials.issue({
          threadId: name,
          providerInstanceId: name,
          providerSessionId: name,
          capabilities: [name],
        }),
      )
    }
    expect(await standings(credentials, ...issued)).toEqual(['live', 'live', 'live', 'live'])
    await credentials.revokeThread('__proto__')
    await credentials.revokeProviderSession('constructor')
    expect(await standings(credentials, ...issued)).toEqual(['revoked', 'revoked', 'live', 'live'])
    const page = await credentials.list({ threadId: 'toString' })
    expect(page.credentials.map(({ threadId, capabilities }) => [threadId, capabilities])).toEqual([
      ['toString', ['toString']],
    ])
  })

  test('a list shows what is neither revoked nor superseded, page by page', async () => {
    const credentials = registry()
    const live: string[] = []
    for (let index = 0; index < 23; index += 1) {
      const providerInstanceId = index % 2 === 0 ? 'even' : 'odd'
      live.push((await credentials.issue({ threadId: `t${index}`, providerInstanceId })).credentialId)
    }
    const gone = await credentials.issue({ threadId: 'gone', providerInstanceId: 'even' })
    await gone.revoke()
    await credentials.issue({ threadId: 't0', providerInstanceId: 'even', onExisting: 'carry' })
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await credentials.list({ limit: 4, cursor })
      expect(page.credentials.length).toBeLessThanOrEqual(4)
      seen.push(...page.credentials.map(({ credentialId }) => credentialId))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength(23)
    expect(live.slice(1).every((id) => seen.includes(id))).toBe(true)
    const odd = await credentials.list({ providerInstanceId: 'odd' })
    expect(odd.credentials).toHaveLength(11)
    expect((await credentials.list({ threadId: 't3', providerInstanceId: 'even' })).credentials).toEqual([])
    const one = await credentials.list({ threadId: 't3' })
    expect(one.credentials.map(({ standing, threadId }) => [standing, threadId])).toEqual([['live', 't3']])
    expect((await credentials.stats()).credentials).toBe(24)
  })

  test('a thread has at most maxPerThread credentials, without the dead ones', async () => {
    subject = await source.fresh({ maxPerThread: 3 })
    const credentials = registry()
    const keep = () => credentials.issue({ ...agent, onExisting: 'keep' })
    const [first] = [await keep(), await keep(), await keep()]
    await expect(keep()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS' })
    await credentials.issue({ ...agent, threadId: 't2' })
    await first?.revoke()
    await keep()
    await expect(keep()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS' })
    await subject.pass(40 * MINUTE)
    const late = await keep()
    expect(await standings(credentials, late)).toEqual(['live'])
    await credentials.revokeProvider('p1')
    const kept = await keep()
    expect((await credentials.issue(agent)).supersededIds).toContain(kept.credentialId)
  })

  test('what one process issues another resolves, touches and revokes', async () => {
    const store = subject.other()
    if (store === undefined) return expect(source.name).toBe('memory')
    const one = registry()
    const other = createMcpCredentials({ store, audit: recordedAudit().audit })
    const issued = await one.issue(agent)
    expect(await standings(other, issued)).toEqual(['live'])
    const carried = await other.issue({ ...agent, onExisting: 'carry' })
    expect((await one.resolve(issued.token)).credential?.credentialId).toBe(carried.credentialId)
    await one.revoke(carried.credentialId)
    expect(await standings(other, issued, carried)).toEqual(['revoked', 'revoked'])
    return undefined
  })
})
