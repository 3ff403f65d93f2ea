import type { Request } from 'express'
import { CodedTypeError } from '../errors.js'
import { lastGrant } from './grants.js'
import type { Principal, PrincipalBase, PrincipalTypes } from './principal.js'

/**
 * The principal of one kind that a gate of this suite granted on this very request. Never what something else put on
 * `req.principal`.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_PRINCIPAL_MISSING` when no such gate ran: a mistake in the routes, not a
 * refusal.
 */
export function principalOf<K extends keyof PrincipalTypes>(request: Request, kind: K): PrincipalTypes[K] {
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
  if (isSet(request, principal)) return
  Object.defineProperty(request, 'principal', {
    value: principal,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

function isSet(request: Request, principal: PrincipalBase | undefined): boolean {
  try {
    request.principal = principal as Principal | undefined
    return (request.principal as PrincipalBase | undefined) === principal
  } catch {
    // An accessor without a setter, or a property that is not writable.
    return false
  }
}

/**
 * Makes `req.principal` show the last grant, or nothing.
 *
 * @throws {TypeError} when the property cannot be replaced.
 */
export function hideForeignPrincipal(request: Request): void {
  if ('principal' in request) showPrincipal(request, lastGrant(request)?.verdict.principal)
}
