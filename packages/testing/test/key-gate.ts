import type { Gate, GateOptions } from '@countersign/core'
import {
  defineGate,
  denied,
  fieldLines,
  type GateDefinition,
  granted,
  settle,
  unavailableBy,
  type Verdict,
} from '@countersign/core/gate-kit'
import type { GateContractOptions, GateSubject } from '@countersign/testing'

/** Who holds a key. */
export interface KeyStore {
  holderOf(key: string): string | undefined | Promise<string | undefined>
}

type KeyVerdict = Verdict<KeyPrincipal, KeyReason, 'key_store'>
type KeyReason = 'missing' | 'malformed' | 'ambiguous' | 'unknown_key'

interface KeyPrincipal {
  readonly kind: 'contract-key'
  readonly id: string
  readonly rights: readonly string[]
}

export type KeyDefinition = GateDefinition<string, KeyPrincipal, KeyReason, 'key_store'>

/** A small gate for the tests of the gate contract, with what a test breaks about it. */
export function requireKey(
  store: KeyStore,
  options: GateOptions<KeyReason, 'key_store'>,
  changes: Partial<KeyDefinition> = {},
): Gate<KeyPrincipal> {
  return defineGate<string, KeyPrincipal, KeyReason, 'key_store'>({
    name: 'contract-key',
    middleware: 'requireKey',
    reads: ['x-key'],
    read(request) {
      const [key, ...others] = fieldLines(request, 'x-key')
      if (others.length > 0) return denied('ambiguous')
      return key === '' ? denied('malformed') : key
    },
    verify: (key) =>
      settle<string | undefined, KeyVerdict>(
        () => store.holderOf(key),
        (id) =>
          id === undefined
            ? denied('unknown_key')
            : granted({ kind: 'contract-key', id, rights: Object.freeze(['read']) }),
        (error) => unavailableBy(error, 'key_store'),
      ),
    dependencies: ['key_store'],
    reasons: {
      missing: { status: 401, owasp: 'authn_login_fail' },
      malformed: { status: 401, owasp: 'authn_login_fail' },
      ambiguous: { status: 400, owasp: 'input_validation_fail' },
      unknown_key: { status: 401, owasp: 'authn_login_fail' },
    },
    challenge: () => [{ scheme: 'Key' }],
    options,
    ...changes,
  })
}

/** A store that knows every key which starts with `good`. */
export const goodKeys: KeyStore = { holderOf: (key) => (key.startsWith('good') ? key : undefined) }

/** Requests for {@link requireKey}. */
export const keyRequests: Omit<GateSubject, 'gate'> = {
  good: () => ({ headers: { 'X-Key': 'good' } }),
  bad: {
    malformed: { request: { headers: { 'X-Key': '' } }, status: 401, reason: 'malformed' },
    unknown: { request: () => ({ headers: { 'X-Key': 'bad' } }), status: 401, reason: 'unknown_key' },
  },
  foreign: { 'another header field': { headers: { Authorization: 'Bearer abc' } } },
}

/** {@link requireKey} under the gate contract. */
export const keyContract: GateContractOptions = {
  name: 'requireKey',
  make: ({ audit, onDenied, breakable }) => ({
    gate: requireKey(breakable(goodKeys), { audit, onDenied }),
    ...keyRequests,
  }),
}
