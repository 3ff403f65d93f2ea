import type { AuditEvent } from '@countersign/core'
import express, { type ErrorRequestHandler, type Express, type Request } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import {
  type Challenge,
  type Denied,
  defineGate,
  denied,
  type Gate,
  type GateDefinition,
  type GateOptions,
  granted,
  type Verdict,
} from '../src/index.js'

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

export type KeyReason = 'missing' | 'unknown' | 'duplicated' | 'too_little' | 'too_large'
export type KeyVerdict = Verdict<KeyPrincipal, KeyReason, 'key_store'>

export const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  unknown: { status: 401, owasp: 'authn_login_fail', problem: { error: 'invalid_token' } },
  duplicated: { status: 400, owasp: 'input_validation_fail' },
  too_little: { status: 403, owasp: 'authz_fail', severity: 'info' },
  too_large: { status: 413, owasp: 'input_validation_fail' },
} as const

/** What a request's `x-key` stands for; `good` lets in. */
export function keyVerdict(request: Request): KeyVerdict {
  const key = request.headersDistinct['x-key']?.[0]
  if (key === undefined) return denied('missing')
  return key === 'good' ? granted({ kind: 'key', id: 'the-key' }) : denied('unknown')
}

type KeyDefinition = GateDefinition<KeyPrincipal, KeyReason, 'key_store'>

/** A gate on `x-key`, with what a test changes about it. */
export function keyGate(
  options: GateOptions<KeyReason, 'key_store'> = {},
  changes: Partial<KeyDefinition> = {},
): Gate<KeyPrincipal> {
  return defineGate<KeyPrincipal, KeyReason, 'key_store'>({
    scheme: 'key',
    reads: ['x-key'],
    presents: (request) => request.headersDistinct['x-key'] !== undefined,
    authenticate: keyVerdict,
    reasons,
    challenge: (refusal?: Denied<KeyReason>): Challenge[] =>
      refusal === undefined || refusal.reason === 'missing' || refusal.reason === 'unknown'
        ? [{ scheme: 'Key', parameters: { realm: 'tests' } }]
        : [],
    options,
    ...changes,
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
  const { audit, events } = recordedAudit()
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
export function keyApp(
  options: GateOptions<KeyReason, 'key_store'> = {},
  changes: Partial<KeyDefinition> = {},
): KeyApp {
  return appOf((audit) => keyGate({ audit, ...options }, changes))
}

/** A gate that decides this, whatever the request. */
export function deciding(
  decide: () => KeyVerdict | Promise<KeyVerdict>,
  options: GateOptions<KeyReason, 'key_store'> = {},
): KeyApp {
  return keyApp(options, { authenticate: decide })
}
