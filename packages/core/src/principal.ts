import type { Request } from 'express'

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
// biome-ignore lint/suspicious/noEmptyInterface: filled in by the gate packages through declaration merging
export interface PrincipalTypes {}

/** Who was verified: the union of what the installed gates attach. */
export type Principal = [keyof PrincipalTypes] extends [never] ? PrincipalBase : PrincipalTypes[keyof PrincipalTypes]

declare global {
  namespace Express {
    interface Request {
      /** The principal that the last gate on this request granted. */
      principal?: Principal
    }
  }
}

/** The principals granted before the last one, for requests that passed more than one gate. */
const earlier = new WeakMap<object, PrincipalBase[]>()

/** Attaches a principal: the last one granted is `req.principal`, {@link principalOf} finds every kind. */
export function attachPrincipal(request: Request, principal: PrincipalBase): void {
  const previous = request.principal as PrincipalBase | undefined
  if (previous !== undefined) {
    const list = earlier.get(request)
    if (list === undefined) earlier.set(request, [previous])
    else list.push(previous)
  }
  request.principal = principal as Principal
}

/** Takes the last principal off again: what was granted could not be recorded. */
export function detachPrincipal(request: Request): void {
  request.principal = earlier.get(request)?.pop() as Principal | undefined
}

/**
 * The principal of one kind that a gate granted on this request.
 *
 * @throws {TypeError} with code `ERR_PRINCIPAL_MISSING` when no such gate ran: a mistake in the routes, not a refusal.
 */
export function principalOf<K extends keyof PrincipalTypes>(request: Request, kind: K): PrincipalTypes[K] {
  const last = request.principal as PrincipalBase | undefined
  const found = last?.kind === kind ? last : earlier.get(request)?.findLast((principal) => principal.kind === kind)
  if (found !== undefined) return found as PrincipalTypes[K]
  const error = new TypeError(
    `principalOf(req, '${String(kind)}'): no gate of that kind granted this request. Mount the gate before this handler.`,
  )
  throw Object.assign(error, { code: 'ERR_PRINCIPAL_MISSING' })
}
