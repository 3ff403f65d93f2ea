import type { Request } from 'express'
import type { DpopMode } from '../dpop-options.js'
import type { IntrospectionMode } from '../introspection/introspection-options.js'
import type { VerifyJwt } from '../jwt/verify-jwt.js'
import type { KeySource } from '../keys/key-source.js'
import type { TokenOutcome, Verified } from '../outcome.js'
import type { PresentedToken } from '../read.js'

/** Asks about a token that cannot be verified here: introspection, or the app's `verify`. `now` is the wall clock. */
export type AskAboutToken = (
  presented: PresentedToken,
  now: number,
  request: Request | undefined,
) => TokenOutcome | Promise<TokenOutcome>

/** An issuer whose tokens are accepted. It has one of `verifyJwt` and `ask`, or both. */
export interface Issuer {
  readonly issuer: string
  /** Verifies a JWT of this issuer with its keys. */
  readonly verifyJwt: VerifyJwt | undefined
  /** For opaque tokens, and for JWTs as `introspectionMode` says. */
  readonly ask: AskAboutToken | undefined
  readonly introspectionMode: IntrospectionMode
  /** Asks whether a JWT that was verified is still active. Undefined without introspection. */
  readonly confirm:
    | ((presented: PresentedToken, verified: Verified) => TokenOutcome | Promise<TokenOutcome>)
    | undefined
  /** Whether `ask` may be given a JWT that names another issuer. */
  acceptsIssuer(name: string): boolean
  /** What the issuer's opaque tokens begin with. */
  readonly tokenPrefix: string
  /** The keys of `verifyJwt`: what they verified must be forgotten when they are withdrawn. */
  readonly keys: KeySource | undefined
  /** The options that `keys` were made of. */
  readonly keysMadeOf: readonly unknown[]
  /** Whether its tokens may, or must, be bound to a key. */
  readonly dpop: DpopMode | false
  /** Where clients find the issuer's metadata. The name must be a URL. */
  readonly publicPlace: () => Promise<string>
}
