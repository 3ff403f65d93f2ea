import type { Request } from 'express'
import { CodedTypeError } from '../errors.js'
import { lastGrant } from './grants.js'

/** What every principal has. `kind` says which gate verified it, `id` is stable and safe to log. */
export interface PrincipalBase {
  readonly kind: string
  readonly id: string
}

/**
 * The registry of principals. Each gate package adds its own by declaration merging, so an app that installs one gate
 * gets that type without narrowing.
 *
 * @example
 * declare module '@countersign/core' {
 *   interface PrincipalTypes { hmac: HmacPrincipal }
 * }
 */
export interface PrincipalTypes {}

/** Who was verified: the union of what the installed gates attach. */
export type Principal = [keyof PrincipalTypes] extends [never] ? PrincipalBase : PrincipalTypes[keyof PrincipalTypes]

declare global {
  namespace Express {
    interface Request {
      /** The principal that the last gate on this request granted: the public view. {@link principalOf} is the proof. */
      principal?: Principal | undefined
    }
  }
}

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
 * Makes `req.principal` show what was granted.
 *
 * @throws {TypeError} when something on the request keeps it from being set.
 */
export function showPrincipal(request: Request, principal: PrincipalBase): void {
  request.principal = principal as Principal
  if ((request.principal as unknown) !== principal) throw new TypeError('req.principal cannot be set on this request')
}

/** Makes `req.principal` show the last grant, or nothing: what another middleware put there is replaced. */
export function hideForeignPrincipal(request: Request): void {
  const proven = lastGrant(request)?.verdict.principal as Principal | undefined
  if (request.principal !== proven) request.principal = proven
}
