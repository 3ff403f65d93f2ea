import assert from 'node:assert/strict'
import type { OnDenied } from '@countersign/core'
import { badOf, namesOfBad } from './decisions.js'
import { assertAnswer, assertRefusal } from './expect.js'
import type { GateContractOptions } from './subject.js'
import { type Trial, tryGate } from './trial.js'

type Case = (options: GateContractOptions) => Promise<void>

/** Sends each bad request to a gate with this `onDenied`. */
async function eachBad(
  options: GateContractOptions,
  onDenied: OnDenied,
  check: (trial: Trial, status: number, reason: string) => Promise<void>,
): Promise<void> {
  for (const name of await namesOfBad(options)) {
    await tryGate(options, { onDenied }, async (trial) => {
      const { status, reason } = badOf(trial.subject.bad, name)
      await check(trial, status, reason)
      assertRefusal(trial, status, reason)
    })
  }
}

/** Sends the bad request whose reason this is. */
async function sendBad(trial: Trial, reason: string) {
  const found = Object.values(trial.subject.bad).find((bad) => bad.reason === reason)
  assert.ok(found, reason)
  return trial.send(await trial.make(found.request))
}

/** What every gate does with its option `onDenied`. */
export const onDeniedCases: Readonly<Record<string, Case>> = {
  async "onDenied 'next' hands an error in the shape of http-errors to the error handlers"(options) {
    await eachBad(options, 'next', async (trial, status, reason) => {
      const received = await sendBad(trial, reason)
      assert.equal(received.status, status)
      assert.equal(trial.errors.length, 1)
      const [{ error, shown, proven } = { error: undefined, shown: undefined, proven: undefined }] = trial.errors
      const { name, status: shownStatus, statusCode, code, expose } = error as Record<string, unknown>
      assert.deepEqual(
        { name, shownStatus, statusCode, code, expose },
        {
          name: 'AccessDeniedError',
          shownStatus: status,
          statusCode: status,
          code: 'ERR_COUNTERSIGN_ACCESS_DENIED',
          expose: true,
        },
      )
      assert.equal((error as { reason: unknown }).reason, reason)
      assert.ok(!JSON.stringify(error).includes(`"reason"`), 'the reason is not for a careless res.json(error)')
      if (status === 401) assert.ok(received.headers['www-authenticate'], 'the headers of the answer')
      assert.deepEqual([shown, proven], [undefined, undefined])
    })
  },

  async 'an onDenied function may answer, immediately or later, or have the gate answer'(options) {
    await eachBad(
      options,
      ({ verdict, answer }, _request, response) => {
        const reason = verdict.outcome === 'denied' ? verdict.reason : verdict.outcome
        response.status(418).json({ reason, would: answer.status })
      },
      async (trial, status, reason) => {
        const received = await sendBad(trial, reason)
        assert.deepEqual([received.status, JSON.parse(received.text)], [418, { reason, would: status }])
      },
    )
    await eachBad(
      options,
      async ({ respond }) => {
        await new Promise((resolve) => setImmediate(resolve))
        respond()
      },
      async (trial, status, reason) => assertAnswer(await sendBad(trial, reason), status),
    )
  },

  async 'an onDenied function that calls next() without an error grants nothing'(options) {
    for (const value of [undefined, 'route', 'router']) {
      await eachBad(
        options,
        (_denial, _request, _response, next) => (next as (value: unknown) => void)(value),
        async (trial, status, reason) => {
          assertAnswer(await sendBad(trial, reason), status)
          assert.deepEqual(trial.errors, [])
        },
      )
    }
  },

  async 'an onDenied function that fails is answered with 500 without detail'(options) {
    const failing: OnDenied[] = [
      () => {
        throw new Error('contract')
      },
      () => Promise.reject(new Error('contract')),
    ]
    for (const onDenied of failing) {
      await eachBad(options, onDenied, async (trial, _status, reason) =>
        assertAnswer(await sendBad(trial, reason), 500),
      )
    }
  },
}
