/** What every principal has. `kind` says which gate verified it, `id` is stable and safe to log. */
export interface PrincipalBase {
  /** The kind of the gate that verified it. */
  readonly kind: string
  /** Stable, and safe to log. */
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
      /** The principal that the last gate on this request granted: the public view. `principalOf` is the proof. */
      principal?: Principal | undefined
    }
  }
}
