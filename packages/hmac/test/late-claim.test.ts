import type { ReplayStore } from '@countersign/core'
import { expect, test } from '@jest/globals'
import { claimOnce } from '../src/single-use.js'

test('[hmac-late-claim] a claim that is answered after its deadline is taken by one retry, and its copies are replays', async () => {
  const answers: ((said: 'fresh' | 'seen') => void)[] = []
  const store: ReplayStore = { claim: () => new Promise((resolve) => answers.push(resolve)) }
  const claim = () => Promise.resolve(claimOnce({}, store, 'signature', 60_000))
  await expect(claim()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE', isTimeout: true })
  const three = [claim(), claim(), claim()]
  expect(answers).toHaveLength(3)
  for (const [index, answer] of answers.entries()) answer(index === 0 ? 'fresh' : 'seen')
  expect((await Promise.all(three)).sort()).toEqual(['fresh', 'seen', 'seen'])
}, 20_000)
