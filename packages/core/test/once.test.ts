import { type Audit, principalOf } from '@countersign/core'
import { denied, granted } from '@countersign/core/gate-kit'
import { beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { type KeyDefinition, keyGate } from './harness.js'

let verified: number
let demanded: string[]
let recorded: ReturnType<typeof recordAudit>
beforeEach(() => {
  verified = 0
  demanded = []
  recorded = recordAudit()
})

type KeyGate = ReturnType<typeof keyGate>

/** What the gates of one registry share. */
const registry = {}

/** A gate that demands something beyond authentication: `yes` is met, anything else is not. */
function demanding(demand: string, changes: Partial<KeyDefinition> = { verifier: registry }) {
  return keyGate(
    { audit: recorded.audit },
    {
      verify: (key) => {
        verified += 1
        return key === 'good' ? granted({ kind: 'key', id: `caller-${verified}` }) : denied('unknown')
      },
      demand: (verdict, credential) => {
        demanded.push(`${demand} of ${credential}`)
        if (demand === 'yes') return verdict
        return denied('too_little', { detail: { principalId: verdict.principal.id } })
      },
      ...changes,
    },
  )
}

/** A gate on the router, another one on the route. */
function appWith(...gates: KeyGate[]): Express {
  const app = express()
  app.set('env', 'test')
  const [route, ...router] = gates.reverse()
  for (const gate of router.reverse()) app.use(gate)
  app.get('/', route as express.RequestHandler, (incoming, response) => {
    response.json({ shown: incoming.principal ?? null, proven: principalOf(incoming, 'key') })
  })
  return app
}

const ask = (app: Express) => request(app).get('/').set('x-key', 'good')
const told = () => recorded.events.map(({ type, reason, principal }) => [type, reason, principal?.id])

describe('two gates of one verifier', () => {
  test('[core-once] verify once, tell of one grant, and demand each time', async () => {
    const caller = { kind: 'key', id: 'caller-1' }
    await ask(appWith(demanding('yes'), demanding('yes'), demanding('yes'))).expect(200, {
      shown: caller,
      proven: caller,
    })
    expect(verified).toBe(1)
    expect(demanded).toEqual(['yes of good', 'yes of good', 'yes of good'])
    expect(told()).toEqual([['access.granted', undefined, 'caller-1']])
  })

  test('[core-once] refuse what the second one demands with 403, never with 401, and tell of one refusal', async () => {
    await ask(appWith(demanding('yes'), demanding('no'))).expect(403)
    expect(verified).toBe(1)
    expect(told()).toEqual([
      ['access.granted', undefined, 'caller-1'],
      ['access.denied', 'too_little', 'caller-1'],
    ])
  })

  test('[core-once] refuse what the first one demands before the second one is asked', async () => {
    await ask(appWith(demanding('no'), demanding('yes'))).expect(403)
    expect(demanded).toEqual(['no of good'])
    expect(told()).toEqual([['access.denied', 'too_little', 'caller-1']])
  })

  const asItIs = (gate: KeyGate) => gate
  const asOptional = (gate: KeyGate) => gate.optional()
  test.each([
    ['the wide one is optional()', asOptional, asItIs],
    ['it is optional() itself', asItIs, asOptional],
    ['both are', asOptional, asOptional],
  ])('[core-once] never switch the narrow one off: %s', async (_name, wide, narrow) => {
    await ask(appWith(wide(demanding('yes')), narrow(demanding('no')))).expect(403)
    expect(demanded).toEqual(['yes of good', 'no of good'])
  })

  test('[core-once] remember the credential that the first one took off the request', async () => {
    const stripping: Partial<KeyDefinition> = {
      verifier: registry,
      decided: (_verdict, _credential, incoming) => {
        const at = incoming.rawHeaders.findIndex((name) => name.toLowerCase() === 'x-key')
        if (at !== -1) incoming.rawHeaders.splice(at, 2)
        delete incoming.headers['x-key']
      },
    }
    await ask(appWith(demanding('yes', stripping), demanding('yes', stripping))).expect(200)
    expect(demanded).toEqual(['yes of good', 'yes of good'])
    demanded.length = 0
    await ask(appWith(demanding('yes', stripping), demanding('no', stripping).optional())).expect(403)
    expect(demanded).toEqual(['yes of good', 'no of good'])
  })

  test('[core-once] remember nothing of another request, of a refusal, or of an outage', async () => {
    const app = appWith(demanding('yes'), demanding('yes'))
    await ask(app).expect(200)
    await ask(app).expect(200)
    expect(verified).toBe(2)
    await request(app).get('/').expect(401)
    await request(app).get('/').set('x-key', 'bad').expect(401)
    expect(recorded.reasons()).toEqual([undefined, undefined, 'missing', 'unknown'])
  })

  test('[core-once] attach the principal again when something in between replaced it', async () => {
    const app = express()
    app.use(demanding('yes'), (incoming, _response, next) => {
      Object.assign(incoming, { principal: { kind: 'key', id: 'forged' } })
      next()
    })
    app.get('/', demanding('yes'), (incoming, response) => void response.json(incoming.principal))
    await ask(app).expect(200, { kind: 'key', id: 'caller-1' })
  })
})

describe('two gates of one verifier that report to different emitters', () => {
  const reporting = (audit: Audit) =>
    keyGate({ audit }, { verifier: registry, verify: () => granted({ kind: 'key', id: 'caller' }) })

  test('[core-once] each tell theirs, once', async () => {
    const [one, other] = [recordAudit(), recordAudit()]
    const gates = [one, other, one, other].map(({ audit }) => reporting(audit))
    await ask(appWith(...gates)).expect(200)
    expect([one.reasons(), other.reasons()]).toEqual([[undefined], [undefined]])
  })

  test('[core-once] [audit-required] a required sink of the second one must take the grant', async () => {
    const broken = recordAudit()
    broken.audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
    await ask(appWith(reporting(recordAudit().audit), reporting(broken.audit))).expect(503)
    // That the sink failed may be told by then, too.
    expect(broken.events.filter(({ gate }) => gate === 'key').map(({ reason }) => reason)).toEqual(['audit_sink'])
  })
})

test('[core-once] [audit-required] a grant is not remembered before the required sink has taken it', async () => {
  const { audit } = recordAudit()
  audit.subscribe(() => new Promise((_resolve, reject) => setImmediate(reject)), { required: true })
  const gate = keyGate({ audit })
  const app = express()
  let letIn = 0
  // Not one after the other: while the sink is writing the event of the first, the second one decides.
  app.use((incoming, response, next) => {
    const handle = () => {
      letIn += 1
    }
    gate(incoming, response, handle)
    gate(incoming, response, handle)
    response.on('finish', next)
  })
  await ask(app).expect(503)
  expect(letIn).toBe(0)
})

describe('two gates made separately', () => {
  test('[core-once] verify separately, each with its own event: their options may differ', async () => {
    await ask(appWith(demanding('yes', {}), demanding('yes', {}))).expect(200)
    expect(verified).toBe(2)
    expect(told()).toEqual([
      ['access.granted', undefined, 'caller-1'],
      ['access.granted', undefined, 'caller-2'],
    ])
  })

  test('[core-once] are distinguished from one gate that is mounted twice, as it is or as optional()', async () => {
    const gate = demanding('yes', {})
    await ask(appWith(gate, gate.optional(), gate)).expect(200)
    expect([verified, demanded.length, recorded.events.length]).toEqual([1, 3, 1])
  })
})
