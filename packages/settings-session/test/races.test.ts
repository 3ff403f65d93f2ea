import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { isLong } from '../../../test/support/run-length.js'
import { type StoreSubject, subjects } from './support/store-subjects.js'
import { issue, LIMITS, newSessionToken, newUser } from './support/store-world.js'

const OWN = ['memory', 'file', 'Redis', 'a Redis cluster']

/** Transactions take longer than scripts; other clients of Redis run the same scripts. */
const runsOn = (name: string) => (isLong || OWN.includes(name) ? 50 : 5)

describe.each(subjects.map(([name, start]) => [name, start, runsOn(name)] as const))('on %s', (_name, start, runs) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  test(`[settings-reuse] 200 concurrent exchanges of one link give one session, ${runs} runs of ${runs}`, async () => {
    const { store } = subject
    for (let run = 0; run < runs; run += 1) {
      const user = newUser()
      const link = await issue(store, user)
      const results = await Promise.all(
        Array.from({ length: 200 }, async (_value, index) =>
          store.exchange({
            link,
            session: newSessionToken(link),
            attempt: `attempt ${index}`,
            state: 'active',
            limits: { ...LIMITS, maxSessions: 100 },
          }),
        ),
      )
      const opened = results.filter(({ outcome }) => outcome === 'opened')
      expect(opened).toHaveLength(1)
      expect(results.filter((result) => result.outcome === 'refused' && result.reason === 'spent')).toHaveLength(199)
      expect(await store.list(user)).toHaveLength(1)
    }
  }, 90_000)
})
