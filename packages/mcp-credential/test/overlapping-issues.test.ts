import { createAudit } from '@countersign/core'
import { createMcpCredentials, type IssuedCredential, type McpCredentials } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { agent } from './harness.js'
import { clusterSource, memorySource, postgresSource, redisSource, type Subject } from './support/subjects.js'

interface Recording {
  readonly done: () => void
  readonly fail: () => void
}

/** A registry whose audit holds back the record of each issue until the test lets it go. */
function world(store: McpCredentialStore) {
  const audit = createAudit()
  const recordings: Recording[] = []
  const events: string[] = []
  let holds = false
  audit.subscribe(({ type, outcome, attributes }) => {
    if (type.startsWith('mcp.')) events.push([type, outcome, attributes?.cause ?? ''].join(' ').trim())
  })
  const write = ({ type }: { type: string }) =>
    holds && type === 'mcp.credential.issued'
      ? new Promise<void>((done, fail) => recordings.push({ done, fail: () => fail(new Error('the disk is full')) }))
      : undefined
  audit.subscribe({ name: 'required', write }, { required: true, deadlineMs: 60_000 })
  let begun = ''
  const seen: McpCredentialStore = {
    ...store,
    // What comes back from the store is announced once more, some time later.
    onEnded: () => () => undefined,
    issue: (credential, life, accept) => {
      begun = credential.id
      return store.issue(credential, life, accept)
    },
  }
  const credentials = createMcpCredentials({ store: seen, audit })
  let announced = 0
  credentials.onRevoked(() => {
    announced += 1
  })
  return {
    credentials,
    events,
    announced: () => announced,
    hold: () => {
      holds = true
    },
    /** Begins an issue that waits for its record. */
    async begin(options: Parameters<McpCredentials['issue']>[0]) {
      const before = recordings.length
      const issued = credentials.issue(options)
      issued.catch(() => undefined)
      while (recordings.length === before) await new Promise((resolve) => setImmediate(resolve))
      return { issued, id: begun, ...(recordings[before] as Recording) }
    },
    standings: (...issued: IssuedCredential[]) =>
      Promise.all(issued.map(async ({ token }) => (await credentials.resolve(token)).standing)),
    listed: async () => (await credentials.list()).credentials.map(({ credentialId }) => credentialId).sort(),
  }
}

const ids = (...issued: IssuedCredential[]) => issued.map(({ credentialId }) => credentialId).sort()

describe.each([memorySource(), redisSource(), clusterSource(), postgresSource()])('in $name', (source) => {
  let subject: Subject
  beforeAll(() => source.open(), 60_000)
  afterAll(() => source.close())
  beforeEach(async () => {
    subject = await source.fresh()
  })
  afterEach(async () => {
    expect(await subject.leftovers()).toEqual([])
  })

  test('an issue whose newer neighbour is undone supersedes the old one, and says so', async () => {
    const { credentials, events, announced, hold, begin, standings, listed } = world(subject.store)
    const old = await credentials.issue(agent)
    hold()
    const first = await begin(agent)
    const second = await begin(agent)
    second.fail()
    await expect(second.issued).rejects.toMatchObject({ dependency: 'audit_sink' })
    const before = announced()
    events.length = 0
    first.done()
    const issued = await first.issued
    expect([issued.superseded, issued.supersededIds]).toEqual(['done', [old.credentialId]])
    expect(await standings(old, issued)).toEqual(['superseded', 'live'])
    expect(events).toEqual(['mcp.credential.issued success', 'mcp.credential.superseded success'])
    expect(announced() - before).toBe(1)
    expect([await listed(), await credentials.stats()]).toEqual([ids(issued), { credentials: 1 }])
  })

  test.each([0, 60])(
    'an issue that is recorded last ends what is older, and not what is newer (overlap %d s)',
    async (overlapSeconds) => {
      const { credentials, hold, begin, standings, listed } = world(subject.store)
      const old = await credentials.issue(agent)
      hold()
      const first = await begin({ ...agent, overlapSeconds })
      const second = await begin({ ...agent, onExisting: 'keep' })
      second.done()
      const newer = await second.issued
      expect(await standings(old, newer)).toEqual(['live', 'live'])
      first.done()
      const issued = await first.issued
      expect(issued.supersededIds).toEqual([old.credentialId])
      expect(await standings(issued, newer)).toEqual(['live', 'live'])
      await subject.pass(61_000)
      expect(await standings(old)).toEqual(['superseded'])
      expect(await listed()).toEqual(ids(issued, newer))
      expect(await credentials.stats()).toEqual({ credentials: 2 })
    },
  )

  test('an issue that a newer one has superseded meanwhile carries nothing', async () => {
    const { credentials, hold, begin, standings } = world(subject.store)
    await credentials.issue(agent)
    hold()
    const first = await begin({ ...agent, onExisting: 'carry' })
    const second = await begin(agent)
    second.done()
    const newer = await second.issued
    first.done()
    const issued = await first.issued
    expect([issued.carried, issued.supersededIds]).toEqual([[], []])
    expect(await standings(newer, issued)).toEqual(['live', 'superseded'])
    expect((await credentials.resolve(newer.token)).credential?.credentialId).toBe(newer.credentialId)
  })

  test('one that lives in the overlap of a newer one stays for as long, and is counted for as long', async () => {
    const { credentials, hold, begin, standings } = world(subject.store)
    hold()
    const first = await begin(agent)
    const second = await begin({ ...agent, overlapSeconds: 120 })
    second.done()
    await second.issued
    first.done()
    const issued = await first.issued
    await subject.pass(100_000)
    expect(await standings(issued)).toEqual(['live'])
    expect(await credentials.stats()).toEqual({ credentials: 2 })
    await subject.pass(30_000)
    expect(await standings(issued)).toEqual(['superseded'])
    expect(await credentials.stats()).toEqual({ credentials: 1 })
  })

  test.each<[string, string, (credentials: McpCredentials, id: string) => Promise<boolean>]>([
    ['itself', 'live', (credentials, id) => credentials.revoke(id)],
    ['its provider session', 'live', (credentials) => credentials.revokeProviderSession('s9')],
    ['its provider', 'revoked', (credentials) => credentials.revokeProvider(agent.providerInstanceId)],
    ['its thread', 'revoked', (credentials) => credentials.revokeThread(agent.threadId)],
    ['everything', 'revoked', (credentials) => credentials.revokeAll()],
  ])('an issue that was revoked with %s while it was recorded replaces nothing', async (_, kept, revoke) => {
    for (const onExisting of ['supersede', 'carry'] as const) {
      await subject.store.revokeScope('all', '*')
      const { credentials, events, begin, hold, standings } = world(subject.store)
      const old = await credentials.issue(agent)
      hold()
      const { issued, id, done } = await begin({ ...agent, onExisting, providerSessionId: 's9' })
      expect(await revoke(credentials, id)).toBe(true)
      done()
      const { supersededIds, carried } = await issued
      expect([supersededIds, carried]).toEqual([[], []])
      expect(await standings(await issued, old)).toEqual(['revoked', kept])
      expect(events).not.toContain('mcp.credential.superseded success')
    }
  })

  test.each(['keep', 'supersede', 'carry'] as const)(
    'issues that run at once (%s) never leave a thread more than maxPerThread',
    async (onExisting) => {
      const { store } = await source.fresh({ maxPerThread: 3 })
      const { credentials, events, listed } = world(store)
      const options = { ...agent, onExisting, overlapSeconds: 600 }
      const results = await Promise.allSettled(Array.from({ length: 12 }, () => credentials.issue(options)))
      const issued = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
      expect(issued).toHaveLength(3)
      expect(new Set(refusals)).toEqual(new Set(['ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS']))
      expect(await credentials.stats()).toEqual({ credentials: 3 })
      if (onExisting === 'keep') expect(await listed()).toEqual(ids(...issued))
      // What was recorded and then refused is recorded as revoked.
      const count = (what: string) => events.filter((event) => event === what).length
      expect(count('mcp.credential.issued success') - count('mcp.credential.revoked success limit')).toBe(3)
    },
  )

  test('an issue that found no room in its second step gets another credential when it is tried again', async () => {
    const { store } = await source.fresh({ maxPerThread: 1 })
    const { credentials, events, standings } = world(store)
    const keep = { ...agent, onExisting: 'keep' as const }
    const named = Array.from({ length: 6 }, (_, index) => ({ ...keep, idempotencyKey: `k${index}` }))
    const results = await Promise.allSettled(named.map((options) => credentials.issue(options)))
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    const first = (results[winner] as PromiseFulfilledResult<IssuedCredential>).value
    await credentials.revoke(first.credentialId)
    for (const options of named.filter((_, index) => index !== winner)) {
      events.length = 0
      const again = await credentials.issue(options)
      expect(await standings(again)).toEqual(['live'])
      expect(events).toEqual(['mcp.credential.issued success'])
      await credentials.revoke(again.credentialId)
    }
  })

  test('a thread that is full of the dead has room for issues that run at once', async () => {
    const { store, pass } = await source.fresh({ maxPerThread: 3 })
    const { credentials } = world(store)
    const keep = { ...agent, onExisting: 'keep' as const }
    for (let index = 0; index < 3; index += 1) await credentials.issue(keep)
    await pass(40 * 60_000)
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => credentials.issue(keep)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })
})
