import { type ClaimAttempt, retriedClaims } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'

const TTL_MS = 60_000
type Answer = boolean | Error | ((attempt: ClaimAttempt) => boolean | Promise<boolean>)

const lost = new Error('the connection was lost')
/** The request may have arrived. */
const unknown =
  (answer?: Promise<boolean>): Answer =>
  ({ onUnknown }) => {
    onUnknown(answer)
    throw lost
  }

/** A store whose server gives these answers, one after another, and what it was asked. */
function storeOf(...answers: Answer[]) {
  const sent: ClaimAttempt[] = []
  const store = retriedClaims(async (attempt) => {
    sent.push(attempt)
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return typeof answer === 'function' ? answer(attempt) : answer === true
  })
  const claim = (key = 'a', ttlMs = TTL_MS) => Promise.resolve(store.claim(key, ttlMs))
  return {
    claim,
    sent,
    attempts: () => sent.map(({ attempt }) => attempt),
    fail: async (key = 'a') => expect(await claim(key).catch((error: unknown) => error)).toBe(lost),
  }
}

const distinct = (attempts: readonly string[]) => new Set(attempts).size

describe('a claim over a network', () => {
  test('is fresh when the server says that it is the first, and seen otherwise; each is an attempt of its own', async () => {
    const { claim, sent, attempts } = storeOf(true, false)
    expect([await claim('a', 7), await claim('b', 8)]).toEqual(['fresh', 'seen'])
    expect(sent).toMatchObject([
      { key: 'a', ttlMs: 7 },
      { key: 'b', ttlMs: 8 },
    ])
    expect(distinct(attempts())).toBe(2)
    for (const attempt of attempts()) expect(attempt).toMatch(/^[\w-]{12}$/)
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'is refused when it would protect nothing: %p',
    async (ttlMs) => {
      const { claim, sent } = storeOf(true)
      await expect(claim('a', ttlMs)).rejects.toThrow(RangeError)
      expect(sent).toEqual([])
    },
  )

  test('that failed for certain leaves nothing: the retry is another attempt', async () => {
    const { claim, fail, attempts } = storeOf(lost, true)
    await fail()
    expect(await claim()).toBe('fresh')
    expect(distinct(attempts())).toBe(2)
  })
})

describe('a claim that failed although it may be done', () => {
  test('is taken up by the retry, which the server then finds to be the same', async () => {
    const { claim, fail, attempts } = storeOf(unknown(), true, false)
    await fail()
    expect([await claim(), await claim()]).toEqual(['fresh', 'seen'])
    const [first, retry, copy] = attempts()
    expect(retry).toBe(first)
    expect(copy).not.toBe(first)
  })

  test('is taken up by one of several concurrent retries: the others are copies', async () => {
    const { claim, fail, attempts } = storeOf(unknown(), true, false, false)
    await fail()
    expect(await Promise.all([claim(), claim(), claim()])).toEqual(['fresh', 'seen', 'seen'])
    expect(attempts().filter((attempt) => attempt === attempts()[0])).toHaveLength(2)
  })

  test('stays so through retries that fail for certain, and that do not', async () => {
    const { claim, fail, attempts } = storeOf(unknown(), lost, unknown(), true)
    await fail()
    await fail()
    await fail()
    expect(await claim()).toBe('fresh')
    expect(distinct(attempts())).toBe(1)
  })

  test('says nothing of another key', async () => {
    const { claim, fail, attempts } = storeOf(unknown(), true, true)
    await fail('a')
    await claim('b')
    await claim('a')
    const [a, b, again] = attempts()
    expect(b).not.toBe(a)
    expect(again).toBe(a)
  })

  test('is given up with the time of the claim', async () => {
    const { claim, attempts } = storeOf(unknown(), false)
    await claim('a', 1).catch(() => undefined)
    const begun = performance.now()
    while (performance.now() - begun < 3) await null
    expect(await claim()).toBe('seen')
    expect(distinct(attempts())).toBe(2)
  })
})

describe('the late answer of a claim', () => {
  test('that it was the first makes the retry fresh without asking, once', async () => {
    const { claim, fail, attempts } = storeOf(unknown(Promise.resolve(true)), false)
    await fail()
    expect(await claim()).toBe('fresh')
    expect(attempts()).toHaveLength(1)
    expect(await claim()).toBe('seen')
    expect(distinct(attempts())).toBe(2)
  })

  test('of a retry counts as that of the first attempt does', async () => {
    const { claim, fail, attempts } = storeOf(unknown(), unknown(Promise.resolve(true)))
    await fail()
    await fail()
    expect(await claim()).toBe('fresh')
    expect(attempts()).toHaveLength(2)
  })

  test('that it was not the first makes the retry an attempt of its own', async () => {
    const { claim, fail, attempts } = storeOf(unknown(Promise.resolve(false)), false)
    await fail()
    expect(await claim()).toBe('seen')
    expect(distinct(attempts())).toBe(2)
  })

  test('that never comes leaves it unknown', async () => {
    const { claim, fail, attempts } = storeOf(unknown(Promise.reject(lost)), true)
    await fail()
    expect(await claim()).toBe('fresh')
    expect(distinct(attempts())).toBe(1)
  })

  test.each([true, false])('is for no other request once a retry has taken the claim up: %p', async (isFirst) => {
    let answer: (isFirst: boolean) => void = () => undefined
    const late = new Promise<boolean>((resolve) => {
      answer = resolve
    })
    const { claim, fail, attempts } = storeOf(unknown(late), unknown(), true, false)
    await fail()
    // The retry's outcome is unknown, too.
    await fail()
    answer(isFirst)
    await late
    expect([await claim(), await claim()]).toEqual(['fresh', 'seen'])
    expect(attempts()).toHaveLength(4)
    expect(distinct(attempts().slice(0, 3))).toBe(1)
  })
})
