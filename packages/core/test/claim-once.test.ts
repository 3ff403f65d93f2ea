import { type ReplayStore, UnavailableError } from '@countersign/core'
import { claimOnce, giveBack } from '@countersign/core/gate-kit'
import { afterEach, describe, expect, jest, test } from '@jest/globals'

afterEach(() => {
  jest.restoreAllMocks()
})

const TTL_MS = 60_000
const claim = (request: object, store: ReplayStore, key = 'a') => claimOnce(request, store, key, TTL_MS)

/** A store that says of each key what is in the list, in order, and then `'seen'`. */
function storeOf(...answers: unknown[]) {
  const asked: [string, number][] = []
  const store = {
    claim(key: string, ttlMs: number) {
      asked.push([key, ttlMs])
      return answers.length > 0 ? answers.shift() : 'seen'
    },
  } as ReplayStore
  return { store, asked }
}

/** An answer that a test gives when it wants to. */
function later() {
  let give: (answer: 'fresh' | 'seen') => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  const answer = new Promise<'fresh' | 'seen'>((resolve, reject) => {
    give = resolve
    fail = reject
  })
  return { answer, give: (said: 'fresh' | 'seen') => give(said), fail: (error: Error) => fail(error) }
}

/** A claim that misses its deadline, whose timer runs out at once. */
async function missed(request: object, store: ReplayStore, key = 'a'): Promise<unknown> {
  const timer = jest.spyOn(globalThis, 'setTimeout').mockImplementation(((work: () => void, ms: number) => {
    expect(ms).toBe(5000)
    queueMicrotask(work)
  }) as never)
  try {
    return await Promise.resolve(claim(request, store, key)).catch((error: unknown) => error)
  } finally {
    timer.mockRestore()
  }
}

describe('what a request claims', () => {
  test.each([
    ['at once', (said: 'fresh' | 'seen') => said],
    ['in a promise', (said: 'fresh' | 'seen') => Promise.resolve(said)],
  ])(
    'is its own: a second gate on its way is not told that it is a copy, by a store that answers %s',
    async (_title, as) => {
      const { store, asked } = storeOf(as('fresh'), as('fresh'))
      const request = {}
      expect(await claim(request, store)).toBe('fresh')
      expect(await claim(request, store, 'b')).toBe('fresh')
      expect(await claim(request, store)).toBe('fresh')
      expect(await claim(request, store, 'b')).toBe('fresh')
      expect(asked).toEqual([
        ['a', TTL_MS],
        ['b', TTL_MS],
      ])
      expect(await claim({}, store)).toBe('seen')
      expect(asked).toHaveLength(3)
    },
  )

  test('is that key in that store alone', async () => {
    const first = storeOf('fresh')
    const second = storeOf()
    const request = {}
    claim(request, first.store)
    expect(claim(request, first.store, 'b')).toBe('seen')
    expect(claim(request, second.store)).toBe('seen')
    expect([first.asked.length, second.asked.length]).toEqual([2, 1])
  })

  test('is not what it was told to be a copy of', () => {
    const { store, asked } = storeOf()
    const request = {}
    expect([claim(request, store), claim(request, store)]).toEqual(['seen', 'seen'])
    expect(asked).toHaveLength(2)
  })
})

describe('a store that does not answer as it must', () => {
  test.each([undefined, null, true, 'Fresh', '', { answer: 'fresh' }])(
    'is unavailable, and nothing is claimed: %p',
    async (answer) => {
      const { store } = storeOf(answer, Promise.resolve(answer))
      const request = {}
      const unavailable = expect.objectContaining({
        code: 'ERR_COUNTERSIGN_UNAVAILABLE',
        dependency: 'replay_store',
        message: expect.stringContaining('fresh'),
      })
      expect(() => claim(request, store)).toThrow(unavailable)
      await expect(claim(request, store)).rejects.toEqual(unavailable)
      expect(claim(request, store)).toBe('seen')
    },
  )

  test('fails the claim with what it throws, and is asked again for the retry', async () => {
    const error = new Error('broken')
    const failing: ReplayStore = {
      claim() {
        throw error
      },
    }
    expect(() => claim({}, failing)).toThrow(error)
    const { store, asked } = storeOf(Promise.reject(error), 'fresh')
    await expect(claim({}, store)).rejects.toBe(error)
    expect(claim({}, store)).toBe('fresh')
    expect(asked).toHaveLength(2)
  })
})

describe('a claim that is under way at its deadline', () => {
  test('is unavailable; the retry gets its answer, and copies of the retry are copies', async () => {
    const slow = later()
    const { store, asked } = storeOf(slow.answer)
    const error = await missed({}, store)
    expect(error).toBeInstanceOf(UnavailableError)
    expect(error).toMatchObject({ dependency: 'replay_store', isTimeout: true })
    const retry = {}
    const answers = [claim(retry, store), claim({}, store)]
    slow.give('fresh')
    expect(await Promise.all(answers)).toEqual(['fresh', 'seen'])
    expect(asked).toHaveLength(2)
    // The retry has the claim, as if it had been the first to ask.
    expect(claim(retry, store)).toBe('fresh')
  })

  test('tells a retry that it is a copy, where the store says so', async () => {
    const slow = later()
    const { store, asked } = storeOf(slow.answer, 'fresh')
    await missed({}, store)
    slow.give('seen')
    expect(await claim({}, store)).toBe('seen')
    expect(asked).toHaveLength(1)
  })

  test('fails the one retry that waits for it, when it fails', async () => {
    const slow = later()
    const { store } = storeOf(slow.answer, 'fresh')
    await missed({}, store)
    slow.fail(new Error('broken'))
    await expect(claim({}, store)).rejects.toThrow('broken')
    expect(claim({}, store)).toBe('fresh')
  })

  test('is kept for its key and its store, beside others', async () => {
    const slow = [later(), later()] as const
    const { store } = storeOf(slow[0].answer, slow[1].answer, 'seen')
    await missed({}, store, 'a')
    await missed({}, store, 'b')
    for (const { give } of slow) give('fresh')
    const other = storeOf('seen')
    expect(claim({}, other.store, 'a')).toBe('seen')
    expect(claim({}, store, 'c')).toBe('seen')
    expect(await Promise.all([claim({}, store, 'a'), claim({}, store, 'b')])).toEqual(['fresh', 'fresh'])
  })
})

describe('what a request gives back', () => {
  test('is fresh for one later request, whatever the request had claimed', async () => {
    const { store, asked } = storeOf('fresh', 'fresh')
    const request = {}
    claim(request, store, 'a')
    claim(request, store, 'b')
    giveBack(request)
    expect(await Promise.all([claim({}, store, 'a'), claim({}, store, 'b')])).toEqual(['fresh', 'fresh'])
    expect(asked).toHaveLength(2)
    expect([claim({}, store, 'a'), claim({}, store, 'b')]).toEqual(['seen', 'seen'])
    // It has lost what it gave back.
    expect(claim(request, store, 'a')).toBe('seen')
  })

  test('is not kept for longer than the claim', async () => {
    const { store } = storeOf('fresh')
    const request = {}
    claimOnce(request, store, 'a', 1)
    giveBack(request)
    const begun = performance.now()
    while (performance.now() - begun < 3) await null
    expect(claim({}, store)).toBe('seen')
  })

  test('is nothing where nothing was claimed', () => {
    const { store } = storeOf()
    const request = {}
    giveBack(request)
    expect(claim(request, store)).toBe('seen')
  })
})
