import { UnavailableError } from '@countersign/core'
import { createMcpCredentials, type IssuedCredential, memoryCredentials } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { endings, requiredAudit, SINK_FAILURES, UNRECORDED } from '../../../test/support/required-audit.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import { agent } from './harness.js'
import { clusterSource, memorySource, postgresSource, redisSource, type Subject } from './support/subjects.js'

/** A registry on a store, whose tokens can be seen although its `issue` rejects. */
function world(store: McpCredentialStore) {
  const ids: string[] = []
  const seen: McpCredentialStore = {
    ...store,
    issue: (credential, life, accept) => {
      ids.push(credential.id)
      return store.issue(credential, life, accept)
    },
  }
  const required = requiredAudit()
  const credentials = createMcpCredentials({ store: seen, audit: required.audit })
  const standing = async ({ token }: IssuedCredential) => (await credentials.resolve(token)).standing
  const lastStanding = async () => (await credentials.check(ids.at(-1) ?? '')).standing
  return { ...required, credentials, standing, lastStanding }
}

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

  test.each(SINK_FAILURES)('a credential that a required sink, which %s, did not record is revoked', async (how) => {
    const { credentials, lastStanding, events, recorded, fail } = world(subject.store)
    fail(how, 'mcp.credential.issued')
    await expect(credentials.issue(agent)).rejects.toMatchObject(UNRECORDED)
    expect(await lastStanding()).toBe('revoked')
    expect((await credentials.list()).credentials).toEqual([])
    expect(endings(events)).toEqual([
      ['mcp.credential.issued', 'error', 'audit_sink'],
      ['mcp.credential.revoked', 'success'],
    ])
    expect(recorded.map(({ type, attributes }) => [type, attributes?.cause])).toEqual([
      ['mcp.credential.revoked', 'audit_sink'],
    ])
  })

  test.each(['supersede', 'keep', 'carry'] as const)(
    'an unrecorded issue with %s leaves the others as they were',
    async (onExisting) => {
      const { credentials, standing, events, fail } = world(subject.store)
      const old = await credentials.issue(agent)
      fail('rejects')
      await expect(credentials.issue({ ...agent, onExisting })).rejects.toMatchObject(UNRECORDED)
      expect(await standing(old)).toBe('live')
      expect(endings(events).filter(([type]) => type === 'mcp.credential.superseded')).toEqual([])
      fail(undefined)
      const next = await credentials.issue({ ...agent, onExisting })
      const expected = { supersede: 'superseded', keep: 'live', carry: 'live' }
      expect([await standing(old), await standing(next)]).toEqual([expected[onExisting], 'live'])
      expect(next.carried).toEqual(onExisting === 'carry' ? [old.credentialId] : [])
    },
  )

  test('a retry with the same idempotency key gets a credential that works', async () => {
    const { credentials, standing, fail } = world(subject.store)
    fail('throws')
    const options = { ...agent, idempotencyKey: 'k1' }
    await expect(credentials.issue(options)).rejects.toMatchObject(UNRECORDED)
    fail(undefined)
    const issued = await credentials.issue(options)
    expect(await standing(issued)).toBe('live')
    expect((await credentials.issue(options)).credentialId).toBe(issued.credentialId)
  })

  test('issues for one thread that wait for the audit at once leave one of them', async () => {
    const { credentials, standing, audit } = world(subject.store)
    const slow = () => new Promise<void>((resolve) => setImmediate(resolve))
    audit.subscribe(slow, { required: true })
    const old = await credentials.issue(agent)
    const [first, second] = await Promise.all([credentials.issue(agent), credentials.issue(agent)])
    expect(await standing(old)).toBe('superseded')
    expect([await standing(first), await standing(second)].sort()).toEqual(['live', 'superseded'])
  })

  test.each(SINK_FAILURES)('every revocation is done while a required sink %s', async (how) => {
    const { credentials, standing, fail } = world(subject.store)
    const provider = { ...agent, providerSessionId: 's1', onExisting: 'keep' as const }
    const issued = await Promise.all(
      ['t1', 't2', 't3', 't4', 't5', 't6'].map((threadId) =>
        credentials.issue({ ...provider, threadId, providerInstanceId: threadId, providerSessionId: threadId }),
      ),
    )
    fail(how)
    const [one, byThread, byProvider, bySession, byRetire, byAll] = issued as [
      IssuedCredential,
      IssuedCredential,
      IssuedCredential,
      IssuedCredential,
      IssuedCredential,
      IssuedCredential,
    ]
    expect(await one.revoke()).toBe(true)
    expect(await credentials.revokeThread('t2')).toBe(true)
    expect(await credentials.revokeProvider('t3')).toBe(true)
    expect(await credentials.revokeProviderSession('t4')).toBe(true)
    expect(await credentials.retire('t5')).toBe(true)
    expect(await standing(byAll)).toBe('live')
    expect(await credentials.revokeAll()).toBe(true)
    for (const ended of [one, byThread, byProvider, bySession, byRetire, byAll])
      expect(await standing(ended)).toBe('revoked')
  })
})

test('a carried token stands for the newest credential, whichever was recorded first', async () => {
  const releases: (() => void)[] = []
  const { credentials, standing, audit } = world(memoryCredentials())
  const old = await credentials.issue(agent)
  audit.subscribe(() => new Promise<void>((resolve) => releases.push(resolve)), { required: true })
  const first = credentials.issue({ ...agent, onExisting: 'carry' })
  const second = credentials.issue({ ...agent, onExisting: 'carry' })
  while (releases.length < 2) await new Promise((resolve) => setImmediate(resolve))
  for (const release of releases.reverse()) {
    release()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [before, newest] = [await first, await second]
  expect((await credentials.resolve(old.token)).credential?.credentialId).toBe(newest.credentialId)
  expect((await credentials.resolve(before.token)).credential?.credentialId).toBe(newest.credentialId)
  await newest.revoke()
  expect([await standing(old), await standing(before)]).toEqual(['revoked', 'revoked'])
})

test('a store that knows nothing of acceptance has its credential revoked all the same', async () => {
  const store = memoryCredentials()
  const { credentials, lastStanding, fail } = world({
    ...store,
    issue: (credential, life) => store.issue(credential, life),
  })
  expect((await credentials.issue(agent)).superseded).toBe('done')
  fail('throws')
  await expect(credentials.issue({ ...agent, threadId: 't2' })).rejects.toMatchObject(UNRECORDED)
  expect(await lastStanding()).toBe('revoked')
})

test('an issue that cannot be undone is no success, and the operator is told', async () => {
  const { warnings, stop } = catchWarnings()
  const store = memoryCredentials()
  const down = new UnavailableError('credential_store', 'down')
  const { credentials, events, fail } = world({ ...store, revoke: () => Promise.reject(down) })
  fail('rejects')
  await expect(credentials.issue(agent)).rejects.toMatchObject({ ...UNRECORDED, cause: down })
  expect(endings(events)).toEqual([
    ['mcp.credential.issued', 'error', 'audit_sink'],
    ['mcp.credential.issued', 'error', 'not_undone'],
  ])
  expect(warnings.map(({ code }) => code)).toEqual(['COUNTERSIGN_CHANGE_NOT_UNDONE'])
  stop()
})

test('a closed emitter issues nothing', async () => {
  const { credentials, lastStanding, audit } = world(memoryCredentials())
  await audit.close()
  await expect(credentials.issue(agent)).rejects.toMatchObject(UNRECORDED)
  expect(await lastStanding()).toBe('revoked')
})
