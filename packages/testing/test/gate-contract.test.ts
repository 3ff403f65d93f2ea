import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AuditEvent, Gate } from '@countersign/core'
import { defineGate, granted } from '@countersign/core/gate-kit'
import { type ContractOptions, gateContract } from '@countersign/testing'
import { describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { goodKeys, type KeyDefinition, type KeyStore, keyContract, keyRequests, requireKey } from './key-gate.js'

const store = goodKeys

/** The contract of a gate that a test may have broken. */
function contractOf(make: (options: ContractOptions) => Gate) {
  return gateContract({ name: 'requireKey', make: (options) => ({ gate: make(options), ...keyRequests }) })
}

const changed = (changes: Partial<KeyDefinition>) =>
  contractOf(({ audit, onDenied, breakable }) => requireKey(breakable(store), { audit, onDenied }, changes))

describe('[testing-gate-contract] the contract of gates holds for a gate made with defineGate', () => {
  test.each(gateContract(keyContract))('$title', ({ run }) => run())
})

describe('[testing-gate-contract] it holds for a store that answers later', () => {
  const later: KeyStore = { holderOf: async (key) => store.holderOf(key) }
  const contract = contractOf(({ audit, onDenied, breakable }) => requireKey(breakable(later), { audit, onDenied }))
  test.each(contract)('$title', ({ run }) => run())
})

/** The titles of the cases that a gate does not meet. */
async function failing(cases: ReturnType<typeof gateContract>): Promise<string[]> {
  const failed: string[] = []
  for (const { title, run } of cases) await run().catch(() => failed.push(title))
  return failed
}

describe('[testing-gate-contract] a gate that breaks a rule is found:', () => {
  const GOOD = 'lets a good credential in: one event, and a principal that is frozen and proven'
  const TWICE = 'mounted twice verifies once: one event for the grant, one for a refusal'
  const DOUBLED = 'refuses a credential that is sent twice'
  const OPTIONAL = 'optional() lets a request through, without a principal, only when nothing is presented'
  const STORE = 'answers a store that throws or rejects with 503, and a bug with 500, each in one event that names it'

  test.each<[string, readonly string[], Partial<KeyDefinition>]>([
    [
      'that has another name',
      ['bears the name of the function that makes it, and says what it reads'],
      { middleware: 'handler' },
    ],
    [
      'that takes the first of two credentials',
      [DOUBLED],
      { read: ({ headersDistinct }) => headersDistinct['x-key']?.[0] || undefined },
    ],
    [
      'that takes a malformed credential for none',
      [OPTIONAL],
      {
        read: ({ headersDistinct }) =>
          headersDistinct['x-key']?.length === 1 ? headersDistinct['x-key'][0] || undefined : undefined,
      },
    ],
    [
      'whose principal is not frozen in all its parts',
      [GOOD, TWICE],
      { verify: (id) => granted({ kind: 'contract-key', id, rights: ['read'] }) },
    ],
    [
      'that answers in another form',
      [
        'refuses a request without a credential with 401 and its challenge, whatever the method',
        'refuses a bad credential for what is wrong with it',
        DOUBLED,
      ],
      { shape: (plain) => ({ ...plain, headers: { ...plain.headers, 'Cache-Control': 'public' } }) },
    ],
  ])('one %s', async (_name, titles, changes) => {
    expect(await failing(changed(changes))).toEqual(expect.arrayContaining([...titles]))
  })

  test('one that swallows the errors of its store, and one that asks no store', async () => {
    const swallowing = contractOf(({ audit, onDenied, breakable }) => {
      const asked = breakable(store)
      const holderOf = async (key: string) => Promise.resolve(asked.holderOf(key)).catch(() => undefined)
      return requireKey({ holderOf: async (key) => holderOf(key).catch(() => undefined) }, { audit, onDenied })
    })
    expect(await failing(swallowing)).toContain(STORE)
    expect(await failing(contractOf(({ audit, onDenied }) => requireKey(store, { audit, onDenied })))).toContain(STORE)
  })

  test('one that is made by hand: it trusts req.principal, and tells nobody', async () => {
    const byHand = contractOf(({ audit }) => {
      const gate = defineGate<string, { kind: 'contract-key'; id: string }, 'missing', 'store'>({
        name: 'contract-key',
        middleware: 'requireKey',
        reads: ['x-key'],
        read: () => undefined,
        verify: (id) => granted({ kind: 'contract-key', id }),
        dependencies: ['store'],
        reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
        challenge: () => [{ scheme: 'Key' }],
        options: { audit },
      })
      const handler: RequestHandler = (request, response, next) => {
        if (request.get('x-key')?.startsWith('good'))
          Object.assign(request, { principal: { kind: 'contract-key', id: 'x' } })
        return request.principal === undefined ? gate(request, response, next) : next()
      }
      const { kind, reads, presents, challenge, optional } = gate
      return Object.assign(handler, { kind, reads, presents, challenge, optional }) as unknown as Gate
    })
    expect(await failing(byHand)).toEqual(
      expect.arrayContaining([GOOD, TWICE, 'trusts no principal that it did not grant on this request']),
    )
  })

  test('one that takes upgrades without a decision, and one that takes none', async () => {
    const [UPGRADE, OPTIONAL_UPGRADE] = [
      'decides on an upgrade as on a request: one event, a proven principal, refusals as HTTP on the socket',
      'optional() lets an upgrade through, without a principal, only when nothing is presented',
    ]
    const open: Gate['upgrade'] = (server, _path, listener) => {
      const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        listener(request, socket, head, { kind: 'contract-key', id: 'x' })
      server.on('upgrade', onUpgrade)
      return () => server.off('upgrade', onUpgrade)
    }
    const withUpgrade = (upgrade: Gate['upgrade']) =>
      contractOf(({ audit, onDenied, breakable }) => {
        const gate = requireKey(breakable(store), { audit, onDenied })
        return Object.assign(gate, { upgrade, optional: () => gate })
      })
    expect(await failing(withUpgrade(open))).toEqual(expect.arrayContaining([UPGRADE, OPTIONAL_UPGRADE]))
    const throwing = () => {
      throw new TypeError('this gate takes no upgrades')
    }
    expect(await failing(withUpgrade(throwing))).toContain(UPGRADE)
    const bodies = changed({ needsBody: 'rights' })
    expect(await failing(bodies)).toContain(UPGRADE)
    const declared = gateContract({
      name: 'requireKey',
      make: ({ audit, onDenied, breakable }) => ({
        gate: requireKey(breakable(store), { audit, onDenied }, { needsBody: 'rights' }),
        ...keyRequests,
        upgrade: false,
      }),
    })
    expect(await failing(declared)).toEqual([])
  })

  test('one that reports elsewhere, or twice', async () => {
    const elsewhere: AuditEvent[] = []
    const silent = contractOf(({ audit, onDenied, breakable }) => {
      const gate = requireKey(breakable(store), { audit, onDenied })
      audit.subscribe((event) => void elsewhere.push(event))
      return requireKey(breakable(store), { onDenied, audit: { ...audit, active: false } }) ?? gate
    })
    expect(await failing(silent)).toEqual(expect.arrayContaining([GOOD, TWICE, STORE]))
    expect(elsewhere).toEqual([])
    const twice = contractOf(({ audit, onDenied, breakable }) => {
      const emit: typeof audit.emit = (event, instead) => {
        void audit.emit(event, instead)
        return audit.emit(event, instead)
      }
      return requireKey(breakable(store), { onDenied, audit: { ...audit, active: true, emit } })
    })
    expect(await failing(twice)).toEqual(expect.arrayContaining([GOOD, TWICE, STORE]))
  })
})
