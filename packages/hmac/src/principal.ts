import type { PrincipalBase } from '@countersign/core'

/** How a request was proven. `legacy` is the shared bearer key that signatures replace. */
export type HmacFormat = 'rfc9421' | 'xHeaders' | 'legacy'

/** A service that holds a shared secret and signed this very request with it. */
export interface HmacPrincipal extends PrincipalBase {
  readonly kind: 'hmac'
  /** The caller's name. */
  readonly id: string
  readonly caller: string
  /** The version of the secret that verified; absent for `legacy`, which has no versions. */
  readonly keyVersion?: number | undefined
  /** The format of the signature; `legacy` for the old key. */
  readonly format: HmacFormat
}

/** Builds the principal of a caller. */
export function principalFor(caller: string, format: HmacFormat, keyVersion?: number): HmacPrincipal {
  return { kind: 'hmac', id: caller, caller, ...(keyVersion === undefined ? {} : { keyVersion }), format }
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    hmac: HmacPrincipal
  }
}

declare global {
  namespace Express {
    interface Request {
      /** The body's bytes as they came over the wire, before decompression; set by a gate that read them. */
      rawBody?: Buffer
    }
  }
}
