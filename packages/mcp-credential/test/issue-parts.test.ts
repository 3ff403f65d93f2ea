import { inspect } from 'node:util'
import type { Audit, AuditEvent } from '@countersign/core'
import { resolveOptions } from '@countersign/core/gate-kit'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { credentialEvents } from '../src/registry/events.js'
import { rememberIssues } from '../src/registry/issue-memory.js'
import { resolveIssueOptions } from '../src/registry/issue-options.js'
import { IssuedCredential } from '../src/registry/issued-credential.js'
import { lifeRules, resolveLife } from '../src/registry/life.js'
import { operatorIn } from '../src/registry/revoke-options.js'

afterEach(() => {
  jest.restoreAllMocks()
})

const MINUTE = 60_000
const record = {
  credentialId: 'c1',
  threadId: 't1',
  providerInstanceId: 'p1',
  providerSessionId: 's1',
  capabilities: ['a'],
  issuedAt: 1,
  expiresAt: 3,
  idleAt: 2,
}
const YEARS = 3650 * 86_400
const named = (option: string) => expect.objectContaining({ option })

describe('how long credentials live', () => {
  const given = { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, slideOn: 'both' } as const
  const lifeOf = (more: object = {}, revivesIdle = false) =>
    resolveLife('test', { absoluteLifetimeSeconds: undefined, ...given, ...more }, revivesIdle)

  test('is what the options say, in milliseconds', () => {
    expect(lifeOf({ absoluteLifetimeSeconds: 0.0015 })).toEqual({
      idleTimeoutMs: 30 * MINUTE,
      coalesceMs: MINUTE,
      maximumLifetimeMs: 1440 * MINUTE,
      absoluteLifetimeMs: 2,
      retentionMs: 60 * MINUTE,
      revivesIdle: false,
      slidesOnUse: true,
      slidesOnTouch: true,
    })
    expect(lifeOf().absoluteLifetimeMs).toBeUndefined()
    expect(Object.isFrozen(lifeOf())).toBe(true)
  })

  test('is noticed late by a tenth of the idle timeout, and by a minute at most', () => {
    expect([600, 599, 1.009].map((idleTimeoutSeconds) => lifeOf({ idleTimeoutSeconds }).coalesceMs)).toEqual([
      60_000, 59_900, 100,
    ])
  })

  test('is known for a day where the host is asked about idle ones', () => {
    expect(lifeOf({}, true)).toMatchObject({ retentionMs: 1440 * MINUTE, revivesIdle: true })
  })

  test.each([
    ['use', true, false],
    ['touch', false, true],
    ['both', true, true],
  ])('with slideOn %s: a use counts: %j, a touch counts: %j', (slideOn, slidesOnUse, slidesOnTouch) => {
    expect(lifeOf({ slideOn })).toMatchObject({ slidesOnUse, slidesOnTouch })
  })

  test('may end by idleness at its maximum, and not after it', () => {
    expect(lifeOf({ idleTimeoutSeconds: 86_400 }).idleTimeoutMs).toBe(86_400_000)
    expect(() => lifeOf({ idleTimeoutSeconds: 86_401 })).toThrow(named('idleTimeoutSeconds'))
    expect(() => lifeOf({ idleTimeoutSeconds: 86_401 })).toThrow('86401 over 86400')
  })

  test('is 30 min idle and 30 d at most where nothing is said, and within what can be counted', () => {
    const rulesOf = (options: object) => resolveOptions('test', options, lifeRules)
    expect(rulesOf({})).toMatchObject({
      idleTimeoutSeconds: 1800,
      maximumLifetimeSeconds: 30 * 86_400,
      slideOn: 'both',
    })
    for (const option of ['idleTimeoutSeconds', 'maximumLifetimeSeconds', 'absoluteLifetimeSeconds']) {
      for (const seconds of [0.001, YEARS]) expect(rulesOf({ [option]: seconds })).toMatchObject({ [option]: seconds })
      for (const seconds of [0, YEARS + 1]) expect(() => rulesOf({ [option]: seconds })).toThrow(named(option))
    }
    for (const slideOn of ['use', 'touch', 'both']) expect(rulesOf({ slideOn })).toMatchObject({ slideOn })
    expect(() => rulesOf({ slideOn: 'never' })).toThrow(named('slideOn'))
  })
})

describe('the options of an issue', () => {
  const agent = { threadId: 't1', providerInstanceId: 'p1' }
  const of = (more: object) => resolveIssueOptions({ ...agent, ...more })

  test('have defaults that give nothing and end the others at once', () => {
    const defaults = { capabilities: [], onExisting: 'supersede', overlapMs: 0 }
    expect(resolveIssueOptions(agent)).toEqual({ ...agent, ...defaults })
    expect(of({ overlapSeconds: 0.0015, onExisting: 'carry' })).toMatchObject({ overlapMs: 2, onExisting: 'carry' })
    expect(of({ overlapSeconds: 86_400, onExisting: 'keep' })).toMatchObject({ onExisting: 'keep' })
    expect(() => of({ overlapSeconds: 86_401 })).toThrow(named('overlapSeconds'))
    expect(() => of({ onExisting: 'replace' })).toThrow(named('onExisting'))
  })

  test.each(['threadId', 'providerInstanceId', 'providerSessionId', 'idempotencyKey'])(
    '%s is a text of 1 to 256 characters without control characters',
    (name) => {
      for (const good of ['a', ' ', '~', 'é', 'x'.repeat(256)])
        expect(of({ [name]: good })).toMatchObject({ [name]: good })
      for (const bad of ['', 'x'.repeat(257), 'a\nb', '\u0000', 'a\u001f', '\u007f', 'a\n', 1]) {
        expect(() => of({ [name]: bad })).toThrow(named(name))
      }
    },
  )

  test('need a thread and a provider', () => {
    expect(() => resolveIssueOptions({ threadId: 't1' } as never)).toThrow(named('providerInstanceId'))
    expect(() => resolveIssueOptions({ providerInstanceId: 'p1' } as never)).toThrow(named('threadId'))
  })

  test('have at most 64 scope tokens as capabilities, each once', () => {
    const of = (capabilities: unknown) => resolveIssueOptions({ ...agent, capabilities: capabilities as string[] })
    for (const good of ['!', '#', '[', ']', '~', 'files:write', 'x'.repeat(128)]) {
      expect(of([good]).capabilities).toEqual([good])
    }
    for (const bad of ['', ' ', 'a b', '"', 'a"', '\\', '\u007f', 'é', 'a\n', 'x'.repeat(129), 1]) {
      expect(() => of([bad])).toThrow(named('capabilities'))
      expect(() => of(['good', bad])).toThrow(named('capabilities'))
    }
    const many = Array.from({ length: 65 }, (_, index) => `c${index}`)
    expect(of(many.slice(1)).capabilities).toHaveLength(64)
    expect(() => of(many)).toThrow('at most 64')
    expect(() => of('preview')).toThrow(named('capabilities'))
    const given = ['a', 'b', 'a']
    const { capabilities } = of(given)
    given.push('c')
    expect([capabilities, Object.isFrozen(capabilities)]).toEqual([['a', 'b'], true])
  })
})

test('who asked for a revocation is told when it is said, and must be a name', () => {
  expect([operatorIn(), operatorIn({}), operatorIn({ operator: 'ana' })]).toEqual([{}, {}, { operator: 'ana' }])
  expect(() => operatorIn({ operator: '' })).toThrow(named('operator'))
  expect(() => operatorIn({ by: 'ana' } as never)).toThrow('unknown option "by"')
})

describe('issues by their idempotency key', () => {
  const mint = () => ({ id: 0 })

  test('are done once, whether under way or done', async () => {
    const memory = rememberIssues<object, object>()
    const work = jest.fn(async (minted: object) => ({ minted }))
    const [one, two] = await Promise.all([memory.once('k', 'a', mint, work), memory.once('k', 'a', mint, work)])
    expect([one === two, (await memory.once('k', 'a', mint, work)) === one]).toEqual([true, true])
    expect(await memory.once('other', 'a', mint, work)).not.toBe(one)
    expect(work).toHaveBeenCalledTimes(2)
  })

  test('are refused for other options', async () => {
    const memory = rememberIssues<object, object>()
    await memory.once('k', 'a', mint, async (minted) => minted)
    const work = jest.fn(async (minted: object) => minted)
    await expect(memory.once('k', 'b', mint, work)).rejects.toMatchObject({
      name: 'TypeError',
      code: 'ERR_COUNTERSIGN_IDEMPOTENCY_KEY_REUSED',
      message: expect.stringContaining('idempotencyKey'),
    })
    expect(work).not.toHaveBeenCalled()
  })

  test('are done with the same token after a failure, and with another one when that was revoked', async () => {
    const memory = rememberIssues<object, object>()
    const tried: object[] = []
    let isSpent = false
    const fails = async (minted: object): Promise<object> => {
      tried.push(minted)
      if (isSpent) memory.spend(minted)
      throw new Error('down')
    }
    const again = () => expect(memory.once('k', 'a', mint, fails)).rejects.toThrow('down')
    await again()
    isSpent = true
    await again()
    await again()
    expect([tried[1] === tried[0], tried[2] === tried[0]]).toEqual([true, false])
  })

  test('are known for 10 min after the last try, and at most 1000 of them', async () => {
    let now = 0
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    const memory = rememberIssues<object, object>()
    const issue = (key: string) => memory.once(key, 'a', mint, async (minted) => minted)
    const first = await issue('k')
    now += 10 * MINUTE - 1
    expect(await issue('k')).toBe(first)
    now += 10 * MINUTE - 1
    expect(await issue('k')).toBe(first)
    now += 10 * MINUTE
    const next = await issue('k')
    expect(next).not.toBe(first)
    for (let index = 1; index < 1000; index += 1) await issue(`k${index}`)
    const beyond = await issue('beyond')
    expect([(await issue('k')) === next, (await issue('beyond')) === beyond]).toEqual([true, false])
  })
})

describe('an issued credential', () => {
  const existing = { superseded: ['c2'], carried: ['c3'] }
  const make = (pending?: Promise<unknown>, revoke = async () => true) =>
    new IssuedCredential(record, { ...existing, pending }, 'mcps_secret', revoke)
  const shown = { ...record, superseded: 'done', supersededIds: ['c2'], carried: ['c3'] }

  test('has what it was issued for, what it replaced, and its token for whom it is handed to', () => {
    const issued = make()
    expect({ ...issued }).toEqual(shown)
    expect([issued.token, issued.authorizationHeader]).toEqual(['mcps_secret', 'Bearer mcps_secret'])
    expect(Object.isFrozen(issued)).toBe(true)
    expect(make(Promise.resolve()).superseded).toBe('pending')
  })

  test('shows everything but its token', () => {
    const issued = make()
    expect(JSON.parse(JSON.stringify(issued))).toEqual({ ...shown, token: '[redacted]' })
    expect(String(issued)).toBe('IssuedCredential c1')
    const text = inspect(issued)
    expect(text).toMatch(/^IssuedCredential \{/)
    expect(text).toContain("threadId: 't1'")
    expect(text).not.toContain('mcps_secret')
  })

  test('is revoked for whom asks', async () => {
    const revoke = jest.fn(async () => true)
    expect(await make(undefined, revoke).revoke({ operator: 'ana' })).toBe(true)
    expect(revoke.mock.calls).toEqual([[{ operator: 'ana' }]])
  })
})

describe('the events of credentials', () => {
  /** What is emitted for each change, by an emitter that somebody listens to, or nobody. */
  function emitted(active: boolean) {
    const events: Partial<AuditEvent>[] = []
    const emit = (event: Partial<AuditEvent>) => {
      events.push(event)
      return true
    }
    const told = credentialEvents({ active, emit } as unknown as Audit)
    void told.issued(record, 'carry', () => undefined)
    told.superseded('c1', 'c2')
    told.revoked('c1')
    told.revoked('c1', { operator: 'ana' })
    told.scopeRevoked('thread', 't1', true, { operator: 'ana' })
    told.retired('t1', { operator: 'ana' })
    told.revived('c1')
    told.restored(3)
    told.connectionEnded('c1', 'revoked' as never)
    return events
  }
  const gate = 'mcp-credential'
  const of = { gate, principal: { kind: gate, id: 'c1' }, credential: { id: 'c1' } }

  test('name what changed, and who asked for it', () => {
    const issued = { thread_id: 't1', provider_instance_id: 'p1', capabilities: 'a', existing: 'carry' }
    expect(emitted(true)).toEqual([
      { type: 'mcp.credential.issued', ...of, attributes: issued },
      { type: 'mcp.credential.superseded', ...of, attributes: { by: 'c2' } },
      { type: 'mcp.credential.revoked', ...of, attributes: {} },
      { type: 'mcp.credential.revoked', ...of, attributes: { operator: 'ana' } },
      { type: 'mcp.scope.revoked', gate, attributes: { scope: 'thread', id: 't1', found: true, operator: 'ana' } },
      { type: 'mcp.thread.retired', gate, attributes: { thread_id: 't1', operator: 'ana' } },
      { type: 'mcp.credential.revived', ...of, attributes: {} },
      { type: 'mcp.credentials.restored', gate, attributes: { credentials: 3 } },
      { type: 'connection.ended', ...of, attributes: { cause: 'revoked' } },
    ])
  })

  test('are not made where nobody listens', () => {
    expect(emitted(false)).toEqual([])
  })
})
