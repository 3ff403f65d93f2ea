import type { AuditEvent, Gate, GateOptions } from '@countersign/core'
import {
  type Challenge,
  type Denied,
  defineGate,
  denied,
  fieldLines,
  type GateDefinition,
  granted,
  type Verdict,
} from '@countersign/core/gate-kit'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { recordAudit } from '../../../test/support/audit-recorder.js'

declare module '@countersign/core' {
  interface PrincipalTypes {
    key: KeyPrincipal
    badge: BadgePrincipal
  }
}

export interface KeyPrincipal {
  readonly kind: 'key'
  readonly id: string
}

export interface BadgePrincipal {
  readonly kind: 'badge'
  readonly id: string
}

export type KeyReason = 'missing' | 'unknown' | 'ambiguous' | 'too_little' | 'too_large'
export type KeyVerdict = Verdict<KeyPrincipal, KeyReason, 'key_store'>
export type KeyOptions = GateOptions<KeyReason, 'key_store'>
export type KeyDefinition = GateDefinition<string, KeyPrincipal, KeyReason, 'key_store'>

const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  unknown: { status: 401, owasp: 'authn_login_fail', problem: { error: 'invalid_token' } },
  ambiguous: { status: 400, owasp: 'input_validation_fail' },
  too_little: { status: 403, owasp: 'authz_fail', severity: 'info' },
  too_large: { status: 413, owasp: 'input_validation_fail' },
} as const

/** A gate on `x-key`, which grants `good`, with what a test changes about it. */
export function keyGate(options: KeyOptions = {}, changes: Partial<KeyDefinition> = {}): Gate<KeyPrincipal> {
  return defineGate<string, KeyPrincipal, KeyReason, 'key_store'>({
    name: 'key',
    middleware: 'requireKey',
    reads: ['x-key'],
    read: (request) => {
      const [key, ...others] = fieldLines(request, 'x-key')
      return others.length > 0 ? denied('ambiguous') : key
    },
    verify: (key) => (key === 'good' ? granted({ kind: 'key', id: 'the-key' }) : denied('unknown')),
    dependencies: ['key_store'],
    reasons,
    challenge: (refusal?: Denied<KeyReason>): Challenge[] =>
      refusal === undefined || refusal.reason === 'missing' || refusal.reason === 'unknown'
        ? [{ scheme: 'Key', parameters: { realm: 'tests' } }]
        : [],
    options,
    ...changes,
  })
}

/** A gate on `x-badge`, which grants whatever is presented. */
export function badgeGate(options: GateOptions = {}): Gate<BadgePrincipal> {
  return defineGate<string, BadgePrincipal, 'missing', 'badges'>({
    name: 'badge',
    middleware: 'requireBadge',
    reads: ['x-badge'],
    read: (request) => fieldLines(request, 'x-badge')[0],
    verify: (id) => granted({ kind: 'badge', id }),
    dependencies: ['badges'],
    reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
    challenge: () => [{ scheme: 'Badge' }],
    options,
  })
}

export interface KeyApp {
  readonly app: Express
  readonly events: AuditEvent[]
  /** How often the handler behind the gate ran. */
  readonly handled: () => number
  /** What reached the error handlers. */
  readonly errors: unknown[]
}

/** An app with one gate before one handler on `/:id`, whose decisions are recorded. */
export function appOf(make: (audit: GateOptions['audit']) => Gate): KeyApp {
  const { audit, events } = recordAudit()
  const errors: unknown[] = []
  let handled = 0
  const app = express()
  app.set('env', 'test')
  app.all('/:id', make(audit), (request, response) => {
    handled += 1
    response.json({ principal: request.principal ?? null })
  })
  const keep: ErrorRequestHandler = (error, _request, _response, next) => {
    errors.push(error)
    next(error)
  }
  app.use(keep)
  return { app, events, handled: () => handled, errors }
}

/** {@link appOf} with {@link keyGate}. */
export function keyApp(options: KeyOptions = {}, changes: Partial<KeyDefinition> = {}): KeyApp {
  return appOf((audit) => keyGate({ audit, ...options }, changes))
}

/** What makes a gate decide this, whatever the request. */
export function decides(decide: () => KeyVerdict | Promise<KeyVerdict>): Partial<KeyDefinition> {
  return { read: () => 'whatever', verify: decide }
}

/** {@link keyApp} with a gate that decides this, whatever the request. */
export function deciding(decide: () => KeyVerdict | Promise<KeyVerdict>, options: KeyOptions = {}): KeyApp {
  return keyApp(options, decides(decide))
}
