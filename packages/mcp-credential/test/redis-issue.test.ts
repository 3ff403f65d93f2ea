import { UnavailableError } from '@countersign/core'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { resolveLife } from '../src/registry/life.js'
import type { AcceptIssue, IssueOutcome, NewCredential } from '../src/store/port.js'
import { createIssuer } from '../src/store/redis/issue.js'
import { confirmScript, issueScript } from '../src/store/redis/issue-script.js'
import { keyLayout } from '../src/store/redis/keys.js'
import { addressOf, mintToken } from '../src/token.js'

afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

const HOUR = 3_600_000
const life = resolveLife(
  'test',
  { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn: 'both' },
  false,
)
const layout = keyLayout('ns')
const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: undefined }
const idOf = () => mintToken('mcps', subject).id
const id = idOf()
const { thread, provider, session } = addressOf(id)
const keys = layout.of(thread)
const credential: NewCredential = {
  id,
  digest: Buffer.alloc(32, 0xab),
  ...subject,
  capabilities: ['a'],
  onExisting: 'supersede',
  overlapMs: 0,
}
const ISSUED = ['issued', '1000', '3000', '2000', 'e1 e2', '7']
const CREDENTIAL = { credentialId: id, ...subject, capabilities: ['a'], issuedAt: 1000, expiresAt: 3000, idleAt: 2000 }
const down = new UnavailableError('credential_store', 'down')

type Reply = readonly unknown[] | Error

/** An issuer that Redis answers with these, one after the other, and a note of what it asked. */
function issuer(replies: Reply[], index: { generation: string; ids: string[] } = { generation: 'g1', ids: [] }) {
  const asked: { step: string; tag: string; keys: readonly string[]; args: readonly unknown[] }[] = []
  const pruned: string[] = []
  const change = async (script: unknown, tag: string, names: readonly string[], args: readonly unknown[]) => {
    asked.push({
      step: script === issueScript ? 'issue' : script === confirmScript ? 'confirm' : '?',
      tag,
      keys: names,
      args,
    })
    const reply = replies.shift()
    if (reply instanceof Error) throw reply
    return reply
  }
  const lister = {
    ofProvider: async () => index,
    prune: async (of: string) => void pruned.push(of),
  }
  const issue = createIssuer({ change, layout, maxPerThread: 5, channel: 'ch', lister } as never)
  const ask = async (more: Partial<NewCredential> = {}, accept?: AcceptIssue) =>
    issue({ ...credential, ...more }, life, accept) as Promise<IssueOutcome>
  return { ask, asked, pruned, steps: () => asked.map(({ step }) => step).join(' ') }
}

const DONE = ['done', ['c2'], ['c3']]

describe('an issue in Redis', () => {
  test('is written, accepted, and then decides on the others', async () => {
    const { ask, asked } = issuer([ISSUED, DONE])
    const accepted: unknown[] = []
    const outcome = await ask({}, (record) => void accepted.push(record, asked.length))
    expect(outcome).toStrictEqual({ outcome: 'issued', credential: CREDENTIAL, superseded: ['c2'], carried: ['c3'] })
    expect(accepted).toEqual([CREDENTIAL, 1])
    const scopes = [keys.record(id), keys.thread(thread), keys.provider(provider), keys.session(session), keys.all]
    expect(asked).toEqual([
      {
        step: 'issue',
        tag: keys.tag,
        keys: [...scopes, keys.retired(thread), keys.names, keys.deadlines],
        args: [
          id,
          'ab'.repeat(32),
          't1',
          'p1',
          '',
          '["a"]',
          thread,
          provider,
          expect.stringMatching(/^[\w-]{16}$/),
          1,
          1_800_000,
          60_000,
          86_400_000,
          '',
          HOUR,
          5,
          '',
          '',
        ],
      },
      {
        step: 'confirm',
        tag: keys.tag,
        keys: [...scopes, keys.names, keys.deadlines],
        args: [id, thread, provider, 'supersede', '', 86_400_000, HOUR, 0, 1, 5, 'ch'],
      },
    ])
  })

  test.each<[Partial<NewCredential>, number]>([
    [{}, 1],
    [{ overlapMs: 1 }, 0],
    [{ onExisting: 'keep' }, 0],
    [{ onExisting: 'carry' }, 0],
  ])('takes the place of the others at once, %j: %d', async (more, expected) => {
    const { ask, asked } = issuer([ISSUED, DONE])
    await ask(more)
    expect(asked[0]?.args[9]).toBe(expected)
    expect(asked[1]?.args.slice(7, 8)).toEqual([more.overlapMs ?? 0])
  })

  test('that its host does not accept changes nothing else', async () => {
    const { ask, steps } = issuer([ISSUED, DONE])
    await expect(ask({}, () => Promise.reject(down))).rejects.toBe(down)
    expect(steps()).toBe('issue')
  })

  test('for a retired thread is refused', async () => {
    expect(await issuer([['retired']]).ask()).toEqual({ outcome: 'retired' })
  })

  test.each(['ended', 'taken'])('whose id is %s is an outage: it may be tried again', async (why) => {
    await expect(issuer([[why]]).ask()).rejects.toMatchObject({ dependency: 'credential_store' })
  })

  test('for a thread that has too many makes room once, and is refused when there is none', async () => {
    const full = { outcome: 'full', limit: 'maxPerThread' }
    const roomy = issuer([['crowded'], ISSUED, ['crowded'], DONE])
    expect(await roomy.ask()).toMatchObject({ outcome: 'issued', superseded: ['c2'] })
    expect([roomy.steps(), roomy.pruned]).toEqual(['issue issue confirm confirm', [thread, thread]])
    const crowded = issuer([['crowded'], ['crowded']])
    expect([await crowded.ask(), crowded.steps()]).toEqual([full, 'issue issue'])
    // Others of this moment took the room that there was.
    const taken = issuer([ISSUED, ['crowded'], ['crowded']])
    expect([await taken.ask(), taken.steps(), taken.pruned]).toEqual([full, 'issue confirm confirm', [thread]])
  })

  test('that carries reads the old tokens, but for its own, and the newest 100 of them', async () => {
    const old = Array.from({ length: 101 }, idOf)
    const { ask, asked } = issuer([ISSUED, DONE], { generation: 'g1', ids: [...old, id] })
    await ask({ onExisting: 'carry' })
    const read = old.slice(1)
    expect(asked[1]?.args.slice(3)).toEqual(['carry', 'g1', 86_400_000, HOUR, 0, 1, 5, 'ch', ...read])
    expect(asked[1]?.keys.slice(7)).toEqual(
      read.flatMap((one) => [keys.record(one), keys.session(addressOf(one).session)]),
    )
  })

  test('reads the others once Redis says that they must be', async () => {
    const other = idOf()
    const { ask, asked, steps } = issuer([ISSUED, ['again'], ['again'], DONE], { generation: 'g2', ids: [other] })
    expect(await ask()).toMatchObject({ outcome: 'issued', superseded: ['c2'] })
    expect(steps()).toBe('issue confirm confirm confirm')
    expect(asked.slice(1).map(({ args }) => [args[4], args.slice(11)])).toEqual([
      ['', []],
      ['g2', [other]],
      ['g2', [other]],
    ])
  })

  test('that was gone when it was confirmed is written again, with the epochs that it had', async () => {
    const { ask, asked, steps } = issuer([ISSUED, ['gone'], ISSUED, DONE])
    expect(await ask()).toMatchObject({ outcome: 'issued', superseded: ['c2'] })
    expect(steps()).toBe('issue confirm issue confirm')
    expect(asked.filter(({ step }) => step === 'issue').map(({ args }) => args.slice(16))).toEqual([
      ['', ''],
      ['e1 e2', '7'],
    ])
  })

  test('that was ended while it was gone stays ended, and changes nothing', async () => {
    const { ask, steps } = issuer([ISSUED, ['gone'], ['ended']])
    expect(await ask()).toMatchObject({ outcome: 'issued', superseded: [], carried: [] })
    expect(steps()).toBe('issue confirm issue')
  })

  test.each([
    [0, 'issue confirm issue confirm'],
    [1, 'issue confirm'],
  ])('is written again only while a revocation is surely known (%d ms beyond)', async (beyond, expected) => {
    let now = 1000
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    const { ask, steps } = issuer([ISSUED, ['gone'], ISSUED, DONE])
    await ask({}, () => {
      now += HOUR - 60_000 + beyond
    })
    expect(steps()).toBe(expected)
  })
})

describe('an issue whose second step has an unknown outcome', () => {
  const outcomeOf = async (replies: Reply[]) => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance'] })
    const one = issuer(replies)
    const outcome = await one.ask()
    expect(outcome).toMatchObject({ outcome: 'issued', credential: CREDENTIAL, superseded: [], carried: [] })
    let settled: unknown
    if (outcome.outcome === 'issued') {
      outcome.pending?.then(
        (replaced) => {
          settled = replaced
        },
        (error: unknown) => {
          settled = error
        },
      )
    }
    return { ...one, settled: () => settled }
  }

  test('is tried until it is known, less and less often, and counts whatever the limit is', async () => {
    const one = await outcomeOf([ISSUED, ...Array.from({ length: 9 }, () => down), DONE])
    const times: number[] = []
    for (let ms = 0; one.settled() === undefined && ms < 60_000; ms += 100) {
      const before = one.asked.length
      await jest.advanceTimersByTimeAsync(100)
      if (one.asked.length > before) times.push(ms + 100)
    }
    expect(times).toEqual([100, 300, 700, 1500, 3100, 6300, 11_300, 16_300, 21_300])
    expect(one.settled()).toEqual({ superseded: ['c2'], carried: ['c3'] })
    expect(one.asked.slice(1).map(({ args }) => args[9])).toEqual([5, ...Array.from({ length: 9 }, () => '')])
  })

  test('is one that other processes got before, ten times', async () => {
    const one = await outcomeOf([ISSUED, ...Array.from({ length: 10 }, () => ['again']), DONE])
    expect([one.asked.length, one.settled()]).toEqual([11, undefined])
    await jest.advanceTimersByTimeAsync(100)
    expect(one.settled()).toEqual({ superseded: ['c2'], carried: ['c3'] })
  })

  test('replaces nothing where the thread is full', async () => {
    const one = await outcomeOf([ISSUED, down, ['crowded'], ['crowded']])
    await jest.advanceTimersByTimeAsync(100)
    expect(one.settled()).toEqual({ superseded: [], carried: [] })
  })

  test('ends with a bug, which is not tried again', async () => {
    const bug = new TypeError('x is not a function')
    const one = await outcomeOf([ISSUED, down, bug])
    await jest.advanceTimersByTimeAsync(20_000)
    expect([one.settled(), one.steps()]).toEqual([bug, 'issue confirm confirm'])
    await expect(issuer([ISSUED, bug]).ask()).rejects.toBe(bug)
  })
})
