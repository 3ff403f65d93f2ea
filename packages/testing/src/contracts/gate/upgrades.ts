import assert from 'node:assert/strict'
import { badOf, foreignOf, namesOfBad } from './decisions.js'
import { assertAnswer, assertGrant, assertRefusal } from './expect.js'
import type { ContractRequest, GateContractOptions } from './subject.js'
import { type Fault, NOT_ASKED, type Trial, tryGate } from './trial.js'

type Case = (options: GateContractOptions) => Promise<void>

/** What every gate does with upgrades, such as those to WebSocket. */
export const upgradeCases: Readonly<Record<string, Case>> = {
  async 'decides on an upgrade as on a request: one event, a proven principal, refusals as HTTP on the socket'(
    options,
  ) {
    await tryGate(options, {}, async (trial) => {
      if (trial.subject.upgrade !== false) return
      assert.throws(() => trial.subject.gate.upgrade(trial.server, '/', () => undefined), {
        code: 'ERR_COUNTERSIGN_BODY_NEEDED',
      })
    })
    await tryUpgrade(options, async (trial) => {
      const { status } = await trial.upgrade(await trial.good())
      assert.equal(status, 101, `a good credential: ${status}`)
      assertGrant(trial)
    })
    await tryUpgrade(options, async (trial) => {
      assertAnswer(await trial.upgrade({}), 401)
      assertRefusal(trial, 401, 'missing')
    })
    for (const name of await namesOfBad(options)) {
      await tryUpgrade(options, async (trial) => {
        const { request, status, reason } = badOf(trial.subject.bad, name)
        const made = await trial.make(request)
        if (made.body !== undefined) return
        assertAnswer(await trial.upgrade(made), status)
        assertRefusal(trial, status, reason)
      })
    }
  },

  async 'optional() lets an upgrade through, without a principal, only when nothing is presented'(options) {
    for (const request of [{}, ...(await foreignOf(options))]) {
      await tryUpgrade(options, async (trial) => {
        const { status } = await trial.upgrade(request, trial.subject.gate.optional())
        assert.equal(status, 101, `optional() answers an upgrade with ${status}`)
        assert.deepEqual(trial.handled, [{ shown: undefined, proven: undefined }])
        assert.deepEqual(trial.decisions(), [])
      })
    }
    for (const name of await namesOfBad(options)) {
      await tryUpgrade(options, async (trial) => {
        const { request, status, reason } = badOf(trial.subject.bad, name)
        const made = await trial.make(request)
        if (made.body !== undefined) return
        assertAnswer(await trial.upgrade(made, trial.subject.gate.optional()), status)
        assertRefusal(trial, status, reason)
      })
    }
  },

  async 'answers an upgrade with 503 in an outage, and with 500 for a bug'(options) {
    for (const [error, status] of [
      [new Error('contract'), 503],
      [new ReferenceError('contract'), 500],
    ] as const) {
      const throwing: Fault = () => {
        throw error
      }
      for (const fault of [throwing, async () => throwing(() => undefined)]) {
        await tryUpgrade(options, async (trial) => {
          const good = await trial.good()
          trial.breakWith(fault)
          const received = await trial.upgrade(good)
          assert.ok(trial.asked() > 0, NOT_ASKED)
          assertAnswer(received, status)
          assertRefusal(trial, status)
        })
      }
    }
  },
}

/** Runs a case where the gate takes upgrades, each with what an upgrade needs beside the credential. */
async function tryUpgrade(options: GateContractOptions, check: (trial: Trial) => Promise<void>): Promise<void> {
  await tryGate(options, {}, async (trial) => {
    const { upgrade } = trial.subject
    if (upgrade === false) return
    const needed = (request: ContractRequest) => ({ ...request, headers: { ...request.headers, ...upgrade?.headers } })
    await check({ ...trial, upgrade: (request, gate) => trial.upgrade(needed(request), gate) })
  })
}
