import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { UnavailableError } from '@countersign/core'
import { assertAnswer, assertGrant, assertRefusal } from './expect.js'
import type { GateContractOptions } from './subject.js'
import { type Fault, NOT_ASKED, tryGate } from './trial.js'

type Case = (options: GateContractOptions) => Promise<void>

/** What a store may throw, and whether that is a bug (500) or an outage (503). */
const THROWN: readonly (readonly [name: string, make: () => unknown, status: 500 | 503])[] = [
  ['ReferenceError', () => new ReferenceError('contract'), 500],
  ['TypeError', () => new TypeError('contract'), 500],
  ['RangeError', () => new RangeError('contract'), 500],
  ['TypeError', () => runInNewContext('new TypeError("of another realm")'), 500],
  ['TypeError', () => new TypeError('contract', { cause: new Error('contract') }), 503],
  ['TypeError', () => new TypeError('fetch failed'), 503],
  ['RangeError', () => new RangeError('contract', { cause: 'contract' }), 503],
  ['SyntaxError', () => new SyntaxError('contract'), 503],
  ['Error', () => Object.assign(new Error('contract'), { code: 'ECONNRESET' }), 503],
  ['Error', () => runInNewContext('new Error("of another realm")'), 503],
  ['UnavailableError', () => new UnavailableError('contract', 'contract', { retryAfterSeconds: 7 }), 503],
  ['string', () => 'contract', 503],
  ['undefined', () => undefined, 503],
]

const SINKS: readonly (() => void | Promise<void>)[] = [
  () => {
    throw new Error('the disk is full')
  },
  () => Promise.reject(new Error('the disk is full')),
]

/** What every gate does when what it asks fails. */
export const faultCases: Readonly<Record<string, Case>> = {
  async 'answers a store that throws or rejects with 503, and a bug with 500, each in one event that names it'(
    options,
  ) {
    for (const [name, make, status] of THROWN) {
      const throwing: Fault = () => {
        throw make()
      }
      for (const fault of [throwing, async () => throwing(() => undefined)]) {
        await tryGate(options, {}, async (trial) => {
          const good = await trial.good()
          trial.breakWith(fault)
          const received = await trial.send(good)
          assert.ok(trial.asked() > 0, NOT_ASKED)
          assertAnswer(received, status)
          const event = assertRefusal(trial, status, status === 500 ? 'internal_error' : undefined)
          assert.equal(event.attributes?.error, name, 'the event names the error')
          if (name === 'UnavailableError') assert.equal(received.headers['retry-after'], '7')
          if (name === 'Error' && status === 503) assert.ok(event.attributes?.at, 'the event names the place')
          assert.ok(!JSON.stringify([event, received]).includes('contract"'), 'a message is never reported')
        })
      }
    }
  },

  async 'grants again when an outage is over'(options) {
    await tryGate(options, {}, async (trial) => {
      const first = await trial.good()
      trial.breakWith(() => Promise.reject(new Error('contract')))
      assertAnswer(await trial.send(first), 503)
      trial.breakWith(undefined)
      // A gate may wait for a moment before it asks again.
      await until(async () => (await trial.send(await trial.good())).status === 200)
      assert.equal(trial.handled.length, 1)
    })
  },

  async 'sends no answer after the client has gone'(options) {
    for (const onDenied of ['respond', 'next'] as const) {
      await tryGate(options, { onDenied }, async (trial) => {
        const good = await trial.good()
        const { fault, fail } = held()
        trial.breakWith(fault)
        await trial.abandon(good)
        fail(new Error('contract'))
        await until(() => trial.decisions().length > 0)
        assertRefusal(trial, 503)
        assert.deepEqual(trial.errors, [])
      })
    }
  },

  async 'does not run the handler when somebody else has answered'(options) {
    let answerNow = (): void => undefined
    const before = (
      _request: unknown,
      response: { status(code: number): { end(text: string): unknown } },
      next: () => void,
    ): void => {
      answerNow = () => void response.status(504).end('too slow')
      next()
    }
    await tryGate(options, { before }, async (trial) => {
      const good = await trial.good()
      const { fault, release, isAsked } = held()
      trial.breakWith(fault)
      const sent = trial.send(good)
      await Promise.race([isAsked, sent])
      assert.ok(trial.asked() > 0, NOT_ASKED)
      answerNow()
      trial.breakWith(undefined)
      release()
      const { status, text } = await sent
      assert.deepEqual([status, text], [504, 'too slow'])
      await until(() => trial.decisions().length > 0)
      assert.deepEqual([trial.handled, trial.errors, trial.decisions().length], [[], [], 1])
    })
  },

  async 'grants nothing that a required sink did not take: 503, one event, no principal'(options) {
    for (const requiredSink of SINKS) {
      for (const onDenied of ['respond', 'next'] as const) {
        await tryGate(options, { requiredSink, onDenied }, async (trial) => {
          const received = await trial.send(await trial.good())
          assert.equal(received.status, 503)
          if (onDenied === 'respond') assertAnswer(received, 503)
          assertRefusal(trial, 503, 'audit_sink')
          assert.equal(trial.errors.length, onDenied === 'next' ? 1 : 0)
          for (const { shown, proven } of trial.errors) assert.deepEqual([shown, proven], [undefined, undefined])
        })
      }
    }
    await tryGate(options, { requiredSink: async () => undefined }, async (trial) => {
      assert.equal((await trial.send(await trial.good())).status, 200)
      assertGrant(trial)
    })
  },
}

/** A fault that waits until the case lets it do its work, or makes it fail. */
function held() {
  let release = (): void => undefined
  let fail = (_error: Error): void => undefined
  let asked = (): void => undefined
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const isReleased = new Promise<void>((resolve, reject) => {
    release = resolve
    fail = reject
  })
  isReleased.catch(() => undefined)
  const fault: Fault = async (work) => {
    asked()
    await isReleased
    return work()
  }
  return { fault, isAsked, release: () => release(), fail: (error: Error) => fail(error) }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 5_000
  while (!(await holds()) && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 2))
}
