import { randomBytes } from 'node:crypto'
import { type MemoryCredentialsOptions, memoryCredentials } from '@countersign/mcp-credential'
import type { AcceptIssue, CredentialLife, NewCredential } from '@countersign/mcp-credential/store'
import { afterEach, describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { resolveLife } from '../src/registry/life.js'
import { mintToken } from '../src/token.js'

const START_MS = 1_800_000_000_000
const digest = randomBytes(32)
const lifeOf = (absoluteLifetimeSeconds?: number): CredentialLife =>
  resolveLife(
    'test',
    { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds, slideOn: 'use' },
    false,
  )
const life = lifeOf()

let close: (() => void)[] = []
afterEach(() => {
  for (const one of close) one()
  close = []
})

function started(options: MemoryCredentialsOptions = {}) {
  const clock = fakeClock(START_MS)
  const store = memoryCredentials({ clock, ...options })
  close.push(() => void store.close?.())
  /** A credential of thread t1 and provider p1 unless it says otherwise, and what became of its issue. */
  const issue = (more: Partial<NewCredential> = {}, lived = life, accept?: AcceptIssue) => {
    const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: undefined, ...more }
    const { id } = mintToken('mcps', subject)
    const terms = { id, digest, capabilities: ['a'], onExisting: 'supersede', overlapMs: 0 } as const
    return { id, outcome: store.issue({ ...terms, ...subject }, lived, accept) }
  }
  const standing = (id: string) => (store.resolve(id, digest, life) as { standing?: string } | undefined)?.standing
  return { clock, store, issue, standing }
}

describe('an issue in memory', () => {
  test('supersedes at once what its thread and provider had, and nothing of others', () => {
    const { issue, standing } = started()
    const [old, other, elsewhere] = [issue(), issue({ providerInstanceId: 'p2' }), issue({ threadId: 't2' })]
    const { id, outcome } = issue()
    expect(outcome).toMatchObject({ outcome: 'issued', superseded: [old.id], carried: [] })
    expect([old, other, elsewhere, { id }].map((one) => standing(one.id))).toEqual([
      ...['superseded', 'live', 'live', 'live'],
    ])
    expect(issue({ threadId: 't3' }).outcome).toMatchObject({ superseded: [], carried: [] })
  })

  test('leaves the former one usable for the overlap, or for as long as it lives', () => {
    const { clock, issue, standing } = started()
    const old = issue()
    const next = issue({ overlapMs: 5000 })
    expect(next.outcome).toMatchObject({ superseded: [old.id] })
    clock.advance(5000)
    expect(standing(old.id)).toBe('live')
    clock.advance(1)
    expect(standing(old.id)).toBe('superseded')
    expect(issue({ onExisting: 'keep' }).outcome).toMatchObject({ superseded: [], carried: [] })
    expect(standing(next.id)).toBe('live')
  })

  test('carries what is alive: it stands for the new one, and ends with it', () => {
    const { store, issue, standing } = started()
    const old = issue()
    const next = issue({ onExisting: 'carry', capabilities: ['b'] })
    expect(next.outcome).toMatchObject({ superseded: [], carried: [old.id] })
    expect(store.resolve(old.id, digest, life)).toMatchObject({
      credential: { credentialId: next.id, capabilities: ['b'] },
    })
    store.revoke(next.id, life)
    expect([standing(old.id), standing(next.id)]).toEqual(['revoked', 'revoked'])
    expect(issue({ onExisting: 'carry', threadId: 't2' }).outcome).toMatchObject({ superseded: [], carried: [] })
  })

  test('does not carry one in its overlap: that ends when it was said to', () => {
    const { issue } = started()
    issue()
    const next = issue({ overlapMs: 5000 })
    expect(issue({ onExisting: 'carry' }).outcome).toMatchObject({ carried: [next.id] })
  })

  test('sets an absolute end, from the moment of the issue', () => {
    const { issue } = started()
    expect(issue({}, lifeOf(3600)).outcome).toMatchObject({
      credential: { issuedAt: START_MS, expiresAt: START_MS + 3_600_000 },
    })
    expect(issue().outcome).toMatchObject({ credential: { expiresAt: START_MS + 86_400_000 } })
  })

  test('is refused for a retired thread', () => {
    const { store, issue } = started()
    issue()
    store.retire('t1', 60_000)
    expect(issue().outcome).toEqual({ outcome: 'retired' })
  })
})

describe('a limit', () => {
  test('of a thread refuses one more, but not one that takes the place of another', () => {
    const { issue } = started({ maxPerThread: 2 })
    issue()
    issue({ providerInstanceId: 'p2' })
    expect(issue({ onExisting: 'keep' }).outcome).toEqual({ outcome: 'full', limit: 'maxPerThread' })
    expect(issue({ overlapMs: 1000 }).outcome).toEqual({ outcome: 'full', limit: 'maxPerThread' })
    expect(issue().outcome).toMatchObject({ outcome: 'issued' })
    expect(issue({ threadId: 't2', onExisting: 'keep' }).outcome).toMatchObject({ outcome: 'issued' })
  })

  test('of the store refuses one more, and one that replaces another leaves it as full as it was', () => {
    const { store, issue, standing } = started({ maxCredentials: 2 })
    const old = issue()
    issue({ threadId: 't2' })
    expect(issue({ threadId: 't3' }).outcome).toEqual({ outcome: 'full', limit: 'maxCredentials' })
    const next = issue()
    expect(next.outcome).toMatchObject({ outcome: 'issued', superseded: [old.id] })
    expect([store.held(), standing(old.id), standing(next.id)]).toEqual([2, undefined, 'live'])
  })
})

describe('a credential that its issuer does not accept', () => {
  test('supersedes nothing while that is asked', async () => {
    const { issue, standing } = started()
    const old = issue()
    let decide: () => void = () => undefined
    const asked: unknown[] = []
    const accepted: AcceptIssue = (record) => {
      asked.push(record.credentialId)
      return new Promise<void>((resolve) => {
        decide = resolve
      })
    }
    const { id, outcome } = issue({}, life, accepted)
    expect([asked, standing(old.id), standing(id)]).toEqual([[id], 'live', 'live'])
    decide()
    expect(await outcome).toMatchObject({ outcome: 'issued', superseded: [old.id] })
    expect(standing(old.id)).toBe('superseded')
  })

  test('ended meanwhile replaces nothing', async () => {
    const { store, issue, standing } = started()
    const old = issue()
    const { id, outcome } = issue({}, life, async () => undefined)
    store.revoke(id, life)
    expect(await outcome).toMatchObject({ superseded: [] })
    expect([standing(old.id), standing(id)]).toEqual(['live', 'revoked'])
  })
})
