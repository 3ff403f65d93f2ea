import assert from 'node:assert/strict'
import type { RequestHandler } from 'express'
import { assertAnswer, assertGrant, assertRefusal } from './expect.js'
import type { ContractRequest, GateContractOptions } from './subject.js'
import { tryGate } from './trial.js'

type Case = (options: GateContractOptions) => Promise<void>

/** What every gate does with good, bad and absent credentials. */
export const decisionCases: Readonly<Record<string, Case>> = {
  async 'bears the name of the function that makes it, and says what it reads'(options) {
    await tryGate(options, {}, async ({ subject: { gate } }) => {
      assert.equal(gate.name, options.name)
      assert.equal(gate.optional().name, options.name)
      assert.deepEqual([gate.optional().kind, gate.optional().reads], [gate.kind, gate.reads])
      assert.match(gate.kind, /^[a-z0-9]+(-[a-z0-9]+)*$/)
      for (const name of gate.reads) assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/)
      assert.ok(gate.challenge().length > 0, 'a gate has a challenge')
    })
  },

  async 'lets a good credential in: one event, and a principal that is frozen and proven'(options) {
    await tryGate(options, {}, async (trial) => {
      const { status } = await trial.send(await trial.good())
      assert.equal(status, 200)
      assertGrant(trial)
    })
  },

  async 'refuses a request without a credential with 401 and its challenge, whatever the method'(options) {
    for (const method of ['GET', 'OPTIONS', 'POST', 'DELETE']) {
      await tryGate(options, {}, async (trial) => {
        assertAnswer(await trial.send({ method }), 401)
        assertRefusal(trial, 401, 'missing')
      })
    }
  },

  async 'refuses a bad credential for what is wrong with it'(options) {
    const names = await namesOfBad(options)
    assert.ok(names.length > 0, 'the contract needs a bad request')
    for (const name of names) {
      await tryGate(options, {}, async (trial) => {
        const { request, status, reason } = badOf(trial.subject.bad, name)
        assertAnswer(await trial.send(await trial.make(request)), status)
        assertRefusal(trial, status, reason)
      })
    }
  },

  async 'refuses a credential that is sent twice'(options) {
    const fields = await fieldsOfGood(options)
    for (const field of fields) {
      await tryGate(options, {}, async (trial) => {
        const good = await trial.good()
        const received = await trial.send(doubled(good, field))
        assert.ok([400, 401].includes(received.status), `${field} twice is answered with ${received.status}`)
        assertAnswer(received, received.status)
        assertRefusal(trial, received.status)
      })
    }
  },

  async 'is no way in for the next request on the same connection'(options) {
    await tryGate(options, {}, async (trial) => {
      await trial.send(await trial.good())
      const { status } = await trial.send({})
      assert.equal(status, 401)
      assert.equal(trial.handled.length, 1)
    })
  },

  async 'mounted twice verifies once: one event for the grant, one for a refusal'(options) {
    const mounts: ((gate: RequestHandler, optional: RequestHandler) => RequestHandler[])[] = [
      (gate) => [gate, gate],
      (gate, optional) => [optional, gate],
      (gate, optional) => [gate, optional],
      (gate, optional) => [optional, gate, optional],
    ]
    for (const mount of mounts) {
      await tryGate(options, { mount: (gate) => mount(gate, gate.optional()) }, async (trial) => {
        const { status } = await trial.send(await trial.good())
        assert.equal(status, 200)
        assertGrant(trial)
      })
      for (const name of await namesOfBad(options)) {
        await tryGate(options, { mount: (gate) => mount(gate, gate.optional()) }, async (trial) => {
          const { request, status, reason } = badOf(trial.subject.bad, name)
          assertAnswer(await trial.send(await trial.make(request)), status)
          assertRefusal(trial, status, reason)
        })
      }
    }
  },

  async 'optional() lets a request through, without a principal, only when nothing is presented'(options) {
    const mount = (gate: { optional(): RequestHandler }) => [gate.optional()]
    const foreign = await foreignOf(options)
    for (const request of [{}, ...foreign]) {
      await tryGate(options, { mount }, async (trial) => {
        const { status } = await trial.send(request)
        assert.equal(status, 200, `optional() answers ${JSON.stringify(request)} with ${status}`)
        assert.deepEqual(trial.handled, [{ shown: undefined, proven: undefined }])
        assert.deepEqual(trial.decisions(), [])
      })
    }
    await tryGate(options, { mount }, async (trial) => {
      await trial.send(await trial.good())
      assertGrant(trial)
    })
    for (const name of await namesOfBad(options)) {
      await tryGate(options, { mount }, async (trial) => {
        const { request, status, reason } = badOf(trial.subject.bad, name)
        assertAnswer(await trial.send(await trial.make(request)), status)
        assertRefusal(trial, status, reason)
      })
    }
  },

  async 'refuses what is not meant for it as it refuses nothing'(options) {
    for (const request of await foreignOf(options)) {
      await tryGate(options, {}, async (trial) => {
        assertAnswer(await trial.send(request), 401)
        assertRefusal(trial, 401, 'missing')
      })
    }
  },

  async 'trusts no principal that it did not grant on this request'(options) {
    const forging: RequestHandler = (request, _response, next) => {
      Object.assign(request, { principal: { kind: 'forged', id: 'forged' } })
      next()
    }
    await tryGate(options, { before: forging }, async (trial) => {
      assertAnswer(await trial.send({}), 401)
      assertRefusal(trial, 401, 'missing')
    })
    await tryGate(options, { before: forging, mount: (gate) => [gate.optional()] }, async (trial) => {
      await trial.send({})
      assert.deepEqual(trial.handled, [{ shown: undefined, proven: undefined }])
    })
    await tryGate(options, { before: forging }, async (trial) => {
      await trial.send(await trial.good())
      assertGrant(trial)
    })
  },

  async 'takes nothing that fails behind it for its own failure'(options) {
    const failure = new TypeError('the handler fails')
    const handler: RequestHandler = () => {
      throw failure
    }
    await tryGate(options, { handler }, async (trial) => {
      const { status } = await trial.send(await trial.good())
      assert.equal(status, 500)
      assertGrant(trial)
      assert.deepEqual(
        trial.errors.map(({ error }) => error),
        [failure],
      )
    })
  },
}

/** The bad request of a name: it is of this very gate. */
export function badOf<B>(bad: Readonly<Record<string, B>>, name: string): B {
  return bad[name] as B
}

/** The names of the bad requests. */
export async function namesOfBad(options: GateContractOptions): Promise<readonly string[]> {
  let names: readonly string[] = []
  await tryGate(options, {}, async ({ subject }) => {
    names = Object.keys(subject.bad)
  })
  return names
}

/** Requests that present nothing for the gate. */
export async function foreignOf(options: GateContractOptions): Promise<readonly ContractRequest[]> {
  let foreign: readonly ContractRequest[] = []
  await tryGate(options, {}, async ({ subject }) => {
    foreign = Object.values(subject.foreign ?? {})
  })
  return foreign
}

/** The header fields in which a good request presents its credential. A cookie field holds many. */
async function fieldsOfGood(options: GateContractOptions): Promise<readonly string[]> {
  let fields: readonly string[] = []
  await tryGate(options, {}, async (trial) => {
    const sent = Object.keys((await trial.good()).headers ?? {}).map((name) => name.toLowerCase())
    fields = trial.subject.gate.reads.filter((name) => name !== 'cookie' && sent.includes(name))
  })
  return fields
}

function doubled(request: ContractRequest, field: string): ContractRequest {
  const headers = Object.entries(request.headers ?? {}).map(([name, value]) =>
    name.toLowerCase() === field ? [name, [value, value].flat()] : [name, value],
  )
  return { ...request, headers: Object.fromEntries(headers) }
}
