import { IssueRefusedError } from '@countersign/mcp-credential'
import { describe, expect, jest, test } from '@jest/globals'
import type { NewCredential, Replaced } from '../src/store/port.js'
import { mintToken, secretDigest } from '../src/token.js'
import { agent, issuedAs, recordOf, subject, world } from './support/registry-world.js'

const { id, secret, token } = mintToken('mcps', subject)

const DAY_MS = 86_400_000

describe('an issue', () => {
  test('hands the store the digest of a secret that it does not keep, and the agent the token', async () => {
    const { credentials, calls, reported } = world({ namespace: 'ns' })
    const issued = await credentials.issue(agent)
    const [, given, life, accept] = calls[0] as [string, NewCredential, object, unknown]
    const [, idInToken, rest = ''] = issued.token.split('_')
    expect(given).toEqual({
      ...subject,
      id: idInToken,
      digest: secretDigest('mcps', 'ns', rest.slice(0, 43)),
      capabilities: ['preview'],
      onExisting: 'supersede',
      overlapMs: 0,
    })
    expect([issued.credentialId, typeof accept]).toEqual([idInToken, 'function'])
    expect(life).toMatchObject({ idleTimeoutMs: 1_800_000, revivesIdle: false })
    expect(reported().map(([type]) => type)).toEqual(['mcp.credential.issued'])
  })

  test('lives so that the host can revive it, where it is asked', async () => {
    const { credentials, calls } = world({}, { isAlive: () => true })
    await credentials.issue(agent)
    expect(calls[0]?.[2]).toMatchObject({ revivesIdle: true })
  })

  test('is revoked through what was issued, by its id', async () => {
    const { credentials, calls, reported } = world()
    const issued = await credentials.issue(agent)
    expect(await issued.revoke({ operator: 'ana' })).toBe(true)
    expect(calls[1]?.slice(0, 2)).toEqual(['revoke', issued.credentialId])
    expect(reported()[1]).toEqual(['mcp.credential.revoked', issued.credentialId, { operator: 'ana' }])
  })

  test('that a required sink did not record is revoked, and its agent gets no token', async () => {
    const { credentials, audit, calls, reported } = world()
    const write = ({ type }: { type: string }) => {
      if (type === 'mcp.credential.issued') throw new Error('the disk is full')
    }
    audit.subscribe(write, { required: true })
    await expect(credentials.issue(agent)).rejects.toMatchObject({ dependency: 'audit_sink' })
    const given = (calls[0]?.[1] as NewCredential | undefined)?.id
    expect(calls[1]?.slice(0, 2)).toEqual(['revoke', given])
    expect(reported()).toContainEqual(['mcp.credential.revoked', given, { cause: 'audit_sink' }])
  })

  test('whose store knows nothing of acceptance is reported all the same, once', async () => {
    const { credentials, reported } = world({ issue: (credential) => issuedAs(credential) })
    const { credentialId } = await credentials.issue(agent)
    expect(reported().map(([type, of]) => [type, of])).toEqual([['mcp.credential.issued', credentialId]])
  })

  test('for a retired thread, or beyond a limit, is refused with a code', async () => {
    const retired = world({ issue: () => ({ outcome: 'retired' }) })
    await expect(retired.credentials.issue(agent)).rejects.toThrow(IssueRefusedError)
    await expect(retired.credentials.issue(agent)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_THREAD_RETIRED' })
    const full = world({ issue: () => ({ outcome: 'full', limit: 'maxPerThread' }) })
    await expect(full.credentials.issue(agent)).rejects.toThrow(IssueRefusedError)
    await expect(full.credentials.issue(agent)).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS',
      message: expect.stringContaining('maxPerThread'),
    })
    expect([full.asked(), full.reported()]).toEqual([['issue', 'issue'], []])
  })

  test('that was recorded, and then found no room, is revoked, and a retry gets another token', async () => {
    const { credentials, calls, reported } = world({
      issue: async (credential, _life, accept) => {
        await accept?.(recordOf(credential))
        return { outcome: 'full', limit: 'maxPerThread' }
      },
    })
    const ended: boolean[] = []
    credentials.onRevoked((mayHaveEnded) => {
      const [, given] = calls[0] as [string, NewCredential]
      ended.push(mayHaveEnded(given.id), mayHaveEnded(mintToken('mcps', { ...subject, threadId: 't2' }).id))
    })
    const issue = () => credentials.issue({ ...agent, idempotencyKey: 'k' })
    await expect(issue()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS' })
    const first = (calls[0] as [string, NewCredential])[1].id
    expect(calls[1]?.slice(0, 2)).toEqual(['revoke', first])
    expect(reported().at(-1)).toEqual(['mcp.credential.revoked', first, { cause: 'limit' }])
    expect(ended).toEqual([true, false])
    await expect(issue()).rejects.toThrow()
    expect((calls[2] as [string, NewCredential])[1].id).not.toBe(first)
  })

  test('reports what it superseded, at once or when that is known, and tells who listens', async () => {
    let known: (replaced: Replaced) => void = () => undefined
    const pending = new Promise<Replaced>((resolve) => {
      known = resolve
    })
    const { credentials, reported } = world({
      issue: (credential) => issuedAs(credential, { superseded: ['c1'], pending }),
    })
    let announced = 0
    credentials.onRevoked(() => {
      announced += 1
    })
    const by = (await credentials.issue(agent)).credentialId
    expect([announced, reported().slice(1)]).toEqual([1, [['mcp.credential.superseded', 'c1', { by }]]])
    known({ superseded: ['c2', 'c3'], carried: [] })
    await pending
    expect([announced, reported().slice(2)]).toEqual([
      2,
      [
        ['mcp.credential.superseded', 'c2', { by }],
        ['mcp.credential.superseded', 'c3', { by }],
      ],
    ])
  })

  test('that superseded nothing tells nobody, and one that stays pending fails nothing', async () => {
    const pending = Promise.reject(new Error('a bug of the store'))
    const { credentials, reported } = world({ issue: (credential) => issuedAs(credential, { pending }) })
    const listener = jest.fn()
    credentials.onRevoked(listener)
    expect((await credentials.issue(agent)).superseded).toBe('pending')
    await new Promise((resolve) => setImmediate(resolve))
    expect([listener.mock.calls.length, reported().length]).toEqual([0, 1])
  })

  test('is done once for an idempotency key', async () => {
    const { credentials, asked } = world()
    const issue = (more: object = {}) => credentials.issue({ ...agent, idempotencyKey: 'k', ...more })
    expect(await issue()).toBe(await issue())
    await expect(issue({ capabilities: [] })).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_IDEMPOTENCY_KEY_REUSED' })
    expect(asked()).toEqual(['issue'])
    expect(await credentials.issue(agent)).not.toBe(await credentials.issue(agent))
  })
})

describe('a look-up', () => {
  test('asks the store for the id and the digest of a well-formed token', () => {
    const { credentials, calls } = world({ namespace: 'ns' })
    expect(credentials.resolve(token)).toEqual({ standing: 'unknown' })
    expect(credentials.check(id)).toEqual({ standing: 'unknown' })
    expect(calls.map((call) => call.slice(0, -1))).toEqual([
      ['resolve', id, secretDigest('mcps', 'ns', secret)],
      ['peek', id],
    ])
  })

  test('has a digest without a namespace where the store has none', () => {
    const { credentials, calls } = world()
    void credentials.resolve(token)
    expect(calls[0]?.[2]).toEqual(secretDigest('mcps', '', secret))
  })

  test('of what is no token, or no id, asks nothing', () => {
    const { credentials, calls } = world()
    const found = [credentials.resolve('mcps_x'), credentials.resolve(`x${token}`), credentials.check('x')]
    expect(found).toEqual([{ standing: 'malformed' }, { standing: 'malformed' }, { standing: 'malformed' }])
    expect([Object.isFrozen(found[0]), calls]).toEqual([true, []])
  })
})

describe('a revocation', () => {
  test.each([true, false])('of one credential is reported when it did something: %j', async (done) => {
    const { credentials, calls, reported } = world({ revoke: () => done })
    const listener = jest.fn<(mayHaveEnded: (of: string) => boolean) => void>()
    credentials.onRevoked(listener)
    expect(await credentials.revoke(id, { operator: 'ana' })).toBe(done)
    expect(calls[0]?.slice(0, 2)).toEqual(['revoke', id])
    expect(reported()).toEqual(done ? [['mcp.credential.revoked', id, { operator: 'ana' }]] : [])
    // A store that says that it was revoked before may have done it for a first attempt.
    expect(listener.mock.calls.map(([mayHaveEnded]) => mayHaveEnded(id))).toEqual([true])
  })

  test('of what is no id asks nothing, and tells nobody', async () => {
    const { credentials, calls } = world()
    const listener = jest.fn()
    credentials.onRevoked(listener)
    expect(await credentials.revoke('x')).toBe(false)
    await expect(credentials.revoke('x', { operator: '' })).rejects.toMatchObject({ option: 'operator' })
    expect([calls, listener.mock.calls]).toEqual([[], []])
  })

  const other = mintToken('mcps', { ...subject, threadId: 't2', providerInstanceId: 'p2' }).id
  test.each([
    ['revokeThread', 'thread', 'threadId', 't1', false],
    ['revokeProvider', 'provider', 'providerInstanceId', 'p1', false],
    ['revokeProviderSession', 'session', 'providerSessionId', 's1', true],
  ] as const)(
    '%s ends the scope, reports it, and tells whom it may concern',
    async (method, scope, option, of, all) => {
      const { credentials, calls, reported } = world({ revokeScope: () => false })
      const listener = jest.fn<(mayHaveEnded: (id: string) => boolean) => void>()
      credentials.onRevoked(listener)
      expect(await credentials[method](of, { operator: 'ana' })).toBe(false)
      expect(calls).toEqual([['revokeScope', scope, of]])
      expect(reported()).toEqual([['mcp.scope.revoked', undefined, { scope, id: of, found: false, operator: 'ana' }]])
      expect(listener.mock.calls.map(([mayHaveEnded]) => [mayHaveEnded(id), mayHaveEnded(other)])).toEqual([
        [true, all],
      ])
      for (const wrong of ['', 'a\nb', 'x'.repeat(257)]) {
        await expect(credentials[method](wrong)).rejects.toMatchObject({ option })
      }
      await expect(credentials[method](of, { operator: '' })).rejects.toMatchObject({ option: 'operator' })
      expect(calls).toHaveLength(1)
    },
  )

  test('of everything ends everything', async () => {
    const { credentials, calls, reported } = world()
    const listener = jest.fn<(mayHaveEnded: (id: string) => boolean) => void>()
    credentials.onRevoked(listener)
    expect(await credentials.revokeAll()).toBe(true)
    expect(calls).toEqual([['revokeScope', 'all', '*']])
    expect(reported()).toEqual([['mcp.scope.revoked', undefined, { scope: 'all', id: '*', found: true }]])
    expect(listener.mock.calls.map(([mayHaveEnded]) => [mayHaveEnded(id), mayHaveEnded(other)])).toEqual([[true, true]])
  })

  test('that retires a thread blocks it for a day, or for as long as is said', async () => {
    const { credentials, calls, reported } = world()
    const listener = jest.fn<(mayHaveEnded: (id: string) => boolean) => void>()
    credentials.onRevoked(listener)
    expect(await credentials.retire('t1')).toBe(true)
    await credentials.retire('t1', { blockSeconds: 0.0015, operator: 'ana' })
    await credentials.retire('t1', { blockSeconds: 365 * 86_400 })
    expect(calls.map((call) => call.slice(1))).toEqual([
      ['t1', DAY_MS],
      ['t1', 2],
      ['t1', 365 * DAY_MS],
    ])
    expect(reported().slice(0, 2)).toEqual([
      ['mcp.thread.retired', undefined, { thread_id: 't1' }],
      ['mcp.thread.retired', undefined, { thread_id: 't1', operator: 'ana' }],
    ])
    expect(listener.mock.calls.map(([mayHaveEnded]) => [mayHaveEnded(id), mayHaveEnded(other)])[0]).toEqual([
      true,
      false,
    ])
    for (const blockSeconds of [0, 365 * 86_400 + 1]) {
      await expect(credentials.retire('t1', { blockSeconds })).rejects.toThrow(
        'credentials.retire: option "blockSeconds"',
      )
    }
    await expect(credentials.retire('')).rejects.toMatchObject({ option: 'threadId' })
    expect(calls).toHaveLength(3)
  })
})

test('what another process ends is heard while anybody listens, and not longer', async () => {
  const hearing: ((mayHaveEnded: () => boolean) => void)[] = []
  const onEnded = jest.fn((listener: never) => {
    hearing.push(listener)
    return () => void hearing.splice(hearing.indexOf(listener), 1)
  })
  const { credentials } = world({ onEnded: onEnded as never })
  expect(onEnded).not.toHaveBeenCalled()
  const [one, two] = [jest.fn(), jest.fn()]
  const stopOne = credentials.onRevoked(one)
  const stopTwo = credentials.onRevoked(two)
  expect(onEnded).toHaveBeenCalledTimes(1)
  hearing[0]?.(() => true)
  expect([one.mock.calls.length, two.mock.calls.length]).toEqual([1, 1])
  stopOne()
  stopOne()
  expect(hearing).toHaveLength(1)
  stopTwo()
  expect(hearing).toHaveLength(0)
  credentials.onRevoked(one)
  expect(hearing).toHaveLength(1)
  await credentials.close()
  expect(hearing).toHaveLength(0)
})

test('where the store tells of nothing, a listener stops all the same', async () => {
  const { credentials } = world()
  const listener = jest.fn()
  credentials.onRevoked(listener)()
  await credentials.revokeAll()
  expect(listener).not.toHaveBeenCalled()
})

test('a touch, a list and a count ask the store', async () => {
  const { credentials, calls } = world()
  expect(await credentials.touch('t1')).toBe(true)
  await expect(credentials.touch('')).rejects.toThrow('credentials: option "threadId"')
  await credentials.list()
  await credentials.list({ threadId: 't1', providerInstanceId: 'p1', cursor: 'c', limit: 1000 })
  await expect(credentials.list({ limit: 0 })).rejects.toThrow('credentials.list: option "limit"')
  await expect(credentials.list({ limit: 1001 })).rejects.toMatchObject({ option: 'limit' })
  await expect(credentials.list({ threadId: '' })).rejects.toMatchObject({ option: 'threadId' })
  expect(await credentials.stats()).toEqual({ credentials: 7 })
  expect(calls.map((call) => call.slice(0, -1))).toEqual([
    ['touch', 't1'],
    ['list', {}, undefined, 100],
    ['list', { threadId: 't1', providerInstanceId: 'p1' }, 'c', 1000],
    ['count'],
  ])
})

test('a store that has read credentials back is reported with their number, and a new one is not', async () => {
  expect(world({ isRestored: true }).reported()).toEqual([['mcp.credentials.restored', undefined, { credentials: 7 }]])
  expect(world({ isRestored: false }).reported()).toEqual([])
})

test('a store without a readiness of its own is ready, and one that has none to close is closed', async () => {
  const plain = world().credentials
  expect(await Promise.all([plain.ready(), plain.close()])).toEqual([undefined, undefined])
  const down = new Error('down')
  const { credentials, asked } = world({ ready: () => Promise.reject(down), close: () => undefined })
  await expect(credentials.ready()).rejects.toBe(down)
  await credentials.close()
  expect(asked()).toEqual(['ready', 'close'])
})
