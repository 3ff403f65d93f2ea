import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import { CodedTypeError } from '../errors.js'
import { rememberOn } from '../remember-on.js'
import { singleton } from '../singleton.js'
import type { Principal, PrincipalBase, PrincipalTypes } from './principal.js'
import type { Granted } from './verdict.js'

/** What one gate granted on one request. A request's grants are a list, the last one first. */
export interface Grant {
  readonly verdict: Granted
  /** What the gate read. */
  readonly credential: unknown
  /** The object that verified: a registry, or the gate itself. */
  readonly verifier: object
  /** The emitter that recorded it. */
  readonly audit: object
  readonly before: Grant | undefined
}

/** A request's last grant. Copies of the package share it: decision 0008. */
const { of: lastGrant, set: setLastGrant } = singleton('grants', () => rememberOn<Grant>())

/** Adds a grant that has been recorded. */
export function addGrant(
  request: object,
  verdict: Granted,
  credential: unknown,
  verifier: object,
  audit: object,
): void {
  setLastGrant(request, { verdict, credential, verifier, audit, before: lastGrant(request) })
}

/**
 * What `verifier` authenticated on this very request, if it did: the credential and the granted verdict. So a gate that is
 * mounted on a router and on its route, or two gates of one registry, authenticate a request once. What a gate demands
 * beyond that is not remembered.
 */
export function once(request: object, verifier: object): Grant | undefined {
  let grant = lastGrant(request)
  while (grant !== undefined && grant.verifier !== verifier) grant = grant.before
  return grant
}

/** Whether any gate of this suite granted something on this very request. */
export function isProven(request: object): boolean {
  return lastGrant(request) !== undefined
}

/** Whether this emitter has the event of what `verifier` authenticated on this request. */
export function isRecorded(request: object, verifier: object, audit: object): boolean {
  let grant = lastGrant(request)
  while (grant !== undefined && (grant.verifier !== verifier || grant.audit !== audit)) grant = grant.before
  return grant !== undefined
}

/**
 * The principal of one kind that a gate of this suite granted on this very request, or upgrade. Never what something else put on
 * `req.principal`.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_PRINCIPAL_MISSING` when no such gate ran: a mistake in the routes, not a
 * refusal.
 */
export function principalOf<K extends keyof PrincipalTypes>(request: IncomingMessage, kind: K): PrincipalTypes[K] {
  for (let grant = lastGrant(request); grant !== undefined; grant = grant.before) {
    const { principal } = grant.verdict
    if (principal.kind === kind) return principal as PrincipalTypes[K]
  }
  throw new CodedTypeError(
    'ERR_COUNTERSIGN_PRINCIPAL_MISSING',
    `principalOf(req, '${String(kind)}'): no gate of that kind granted this request. Mount the gate before this handler.`,
  )
}

/**
 * Makes `req.principal` show this principal, or nothing. What another middleware put there is replaced, an accessor
 * included.
 *
 * @throws {TypeError} when the property cannot be replaced.
 */
export function showPrincipal(request: Request, principal: PrincipalBase | undefined): void {
  if (!('principal' in request)) {
    ;(request as Request).principal = principal as Principal | undefined
    return
  }
  Object.defineProperty(request, 'principal', {
    value: principal,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

/**
 * Makes `req.principal` show the last grant, or nothing.
 *
 * @throws {TypeError} when the property cannot be replaced.
 */
export function hideForeignPrincipal(request: Request): void {
  if ('principal' in request) showPrincipal(request, lastGrant(request)?.verdict.principal)
}
