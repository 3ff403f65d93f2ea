import type { HmacSecretStore, HmacSecretVersion } from '@countersign/hmac/store'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { cachedVersions, forgetCaller } from '../src/store/cache.js'

type Versions = readonly HmacSecretVersion[]
type Answer = (versions: Versions | Error) => Promise<void>

const DOWN = new Error('the database is down')
const set = (...versions: number[]): Versions =>
  versions.map((version) => ({ caller: 'a', version }) as HmacSecretVersion)
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

let clock: FakeClock
let store: HmacSecretStore
/** What the store was asked and has not answered, oldest first. */
let open: Answer[]
/** For whom the store was asked. */
let asked: string[]

function makeStore(cacheSeconds?: number): HmacSecretStore {
  const versions = (caller: string) => {
    asked.push(caller)
    return new Promise<Versions>((resolve, reject) => {
      open.push((answer) => {
        if (answer instanceof Error) reject(answer)
        else resolve(answer)
        return settled()
      })
    })
  }
  return { versions, ...(cacheSeconds === undefined ? {} : { cacheSeconds }) } as HmacSecretStore
}

beforeEach(() => {
  clock = fakeClock()
  open = []
  asked = []
  store = makeStore()
})

const read = (version?: number, caller = 'a') => cachedVersions(store, caller, version, clock)
const answer = (versions: Versions | Error) => (open.shift() as Answer)(versions)

/** Reads, and answers what that asks. */
async function readAnswered(versions: Versions | Error, version?: number): Promise<Versions> {
  const found = Promise.resolve(read(version))
  found.catch(() => undefined)
  await answer(versions)
  return found
}

describe('what was read of a caller', () => {
  test('is not kept where the store answers without a promise', () => {
    const answers = [set(1), set(2)]
    store = { versions: () => answers.shift() } as unknown as HmacSecretStore
    expect([read(), read()]).toEqual([set(1), set(2)])
  })

  test.each([
    [undefined, 30],
    [60, 30],
    [5, 5],
  ])(
    'with cacheSeconds %p is used for %i s from the moment it was asked for, without a promise',
    async (seconds, life) => {
      store = makeStore(seconds)
      const first = read() as Promise<Versions>
      clock.advance(400)
      await answer(set(1))
      expect(await first).toEqual(set(1))
      clock.advance(life * 1000 - 401)
      expect(read()).toEqual(set(1))
      expect(asked).toHaveLength(1)
      clock.advance(1)
      expect(await readAnswered(set(2))).toEqual(set(2))
      expect(read()).toEqual(set(2))
      expect(asked).toHaveLength(2)
    },
  )

  test('is asked for each time with cacheSeconds: 0', async () => {
    store = makeStore(0)
    expect([await readAnswered(set(1)), await readAnswered(set(2))]).toEqual([set(1), set(2)])
  })

  test('is kept where that is nothing, too', async () => {
    expect(await readAnswered([])).toEqual([])
    expect(read()).toEqual([])
    expect(asked).toHaveLength(1)
  })

  test('is asked for once, however many wait for it, at first and later', async () => {
    for (const version of [1, 2]) {
      const waiting = [read(), read(), read()]
      expect(asked).toHaveLength(version)
      await answer(set(version))
      expect(await Promise.all(waiting)).toEqual([set(version), set(version), set(version)])
      clock.advance(30_000)
    }
  })

  test('is that of each caller by itself', async () => {
    await readAnswered(set(1))
    const other = read(undefined, 'b')
    await answer(set(7))
    expect([await other, read()]).toEqual([set(7), set(1)])
    expect(asked).toEqual(['a', 'b'])
  })

  test('is of 10 000 callers at most: the oldest is asked for again', async () => {
    const versions = async (caller: string) => {
      asked.push(caller)
      return set(1)
    }
    store = { versions } as HmacSecretStore
    await Promise.all(Array.from({ length: 10_000 }, (_, at) => read(undefined, `c${at}`)))
    read(undefined, 'c0')
    expect(asked).toHaveLength(10_000)
    await read(undefined, 'one-more')
    read(undefined, 'c1')
    expect(asked).toHaveLength(10_001)
    read(undefined, 'c0')
    expect(asked).toHaveLength(10_002)
  })
})

describe('a version that is not among what was read', () => {
  test('makes the store be asked again, at most once in 15 s', async () => {
    await readAnswered(set(1))
    expect(await readAnswered(set(1), 2)).toEqual(set(1))
    for (const version of [2, 3]) expect(read(version)).toEqual(set(1))
    clock.advance(14_999)
    expect(read(2)).toEqual(set(1))
    clock.advance(1)
    expect(await readAnswered(set(2, 1), 2)).toEqual(set(2, 1))
    expect(asked).toHaveLength(3)
  })

  test('does so for no other: one that is there, or no version, is found', async () => {
    await readAnswered(set(2, 1))
    for (const version of [1, 2, undefined]) expect(read(version)).toEqual(set(2, 1))
    expect(asked).toHaveLength(1)
  })
})

describe('while the store fails', () => {
  test('and nothing was read, what it threw is thrown, and it is left alone for a second', async () => {
    await expect(readAnswered(DOWN)).rejects.toBe(DOWN)
    clock.advance(999)
    expect(() => read()).toThrow(DOWN)
    expect(asked).toHaveLength(1)
    clock.advance(1)
    const later = new Error('still down')
    await expect(readAnswered(later)).rejects.toBe(later)
    expect(() => read()).toThrow(later)
    clock.advance(1000)
    expect(await readAnswered(set(1))).toEqual(set(1))
    expect(read()).toEqual(set(1))
  })

  test('what was read is used, and the store is asked in the background, once a second', async () => {
    await readAnswered(set(1))
    clock.advance(30_000)
    expect(await readAnswered(DOWN)).toEqual(set(1))
    expect(read()).toEqual(set(1))
    clock.advance(999)
    expect(read()).toEqual(set(1))
    expect(asked).toHaveLength(2)
    clock.advance(1)
    expect([read(), read()]).toEqual([set(1), set(1)])
    expect(asked).toHaveLength(3)
    await answer(set(2))
    expect(read()).toEqual(set(2))
    expect(asked).toHaveLength(3)
  })

  test('what was read is used for 5 minutes from then and no longer', async () => {
    clock.advance(1_000_000)
    await readAnswered(set(1))
    clock.advance(299_999)
    expect(await readAnswered(DOWN)).toEqual(set(1))
    clock.advance(1)
    expect(() => read()).toThrow(DOWN)
    clock.advance(999)
    await expect(readAnswered(DOWN)).rejects.toBe(DOWN)
  })

  test('one that throws is as one that rejects', async () => {
    await readAnswered(set(1))
    clock.advance(30_000)
    store.versions = () => {
      throw DOWN
    }
    expect(await read()).toEqual(set(1))
    expect(read()).toEqual(set(1))
  })

  test('one that has not answered within a second has failed', async () => {
    await expect(read()).rejects.toMatchObject({ dependency: 'secret_store', isTimeout: true })
  })
})

describe('in the background', () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => void unhandled.push(reason)
  beforeEach(() => {
    unhandled.length = 0
    process.on('unhandledRejection', note)
  })
  afterEach(() => {
    process.off('unhandledRejection', note)
  })

  test('a failure after what was read has become too old ends no process', async () => {
    await readAnswered(set(1))
    clock.advance(298_000)
    await readAnswered(DOWN)
    clock.advance(1500)
    expect(read()).toEqual(set(1))
    clock.advance(1000)
    await answer(DOWN)
    await settled()
    expect(unhandled).toEqual([])
    expect(() => read()).toThrow(DOWN)
  })
})

describe('a caller that is forgotten', () => {
  test('is asked for again, and no other is', async () => {
    await readAnswered(set(1))
    const other = read(undefined, 'b')
    await answer(set(7))
    await other
    forgetCaller(store, 'a')
    expect(await readAnswered(set(2))).toEqual(set(2))
    expect(read(undefined, 'b')).toEqual(set(7))
    expect(asked).toEqual(['a', 'b', 'a'])
  })

  test('while the store is asked: that answer is for those who wait for it, and is not kept', async () => {
    const before = read()
    forgetCaller(store, 'a')
    const after = read()
    expect(asked).toHaveLength(2)
    await answer(set(1))
    expect(await before).toEqual(set(1))
    await answer(set(2))
    expect([await after, read()]).toEqual([set(2), set(2)])
    expect(asked).toHaveLength(2)
  })

  test('while the store is asked: an answer that comes later than the next one does not replace it', async () => {
    const before = read()
    forgetCaller(store, 'a')
    const after = read()
    const [first, second] = open as [Answer, Answer]
    await second(set(2))
    await first(set(1))
    expect(await Promise.all([before, after])).toEqual([set(1), set(2)])
    expect(read()).toEqual(set(2))
  })

  test('has nothing to use while the store fails', async () => {
    await readAnswered(set(1))
    clock.advance(1)
    forgetCaller(store, 'a')
    await expect(readAnswered(DOWN)).rejects.toBe(DOWN)
    expect(() => read()).toThrow(DOWN)
  })

  test('while the store fails: that failure is not that of who asks since', async () => {
    const before = Promise.resolve(read())
    before.catch(() => undefined)
    forgetCaller(store, 'a')
    await answer(DOWN)
    await expect(before).rejects.toBe(DOWN)
    expect(await readAnswered(set(2))).toEqual(set(2))
  })

  test('and was never asked for does no harm', () => {
    expect(() => forgetCaller(store, 'nobody')).not.toThrow()
  })
})
