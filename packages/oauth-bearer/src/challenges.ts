import type { Challenge, Denied } from '@countersign/core/gate-kit'
import { type OAuthBearerReason, reasons } from './reasons.js'

/** What the challenges of a gate say. */
export interface ChallengeContext {
  readonly realm: string
  /** The scopes that this operation needs. */
  readonly scopes: readonly string[]
  /** The authentication schemes beside Bearer that are accepted now, in their order. */
  readonly otherSchemes: () => readonly string[]
  /** Undefined while no metadata is served. */
  readonly resourceMetadata: () => string | undefined
}

/**
 * The challenges of a refusal, Bearer first, because clients read only the first one. They have no `error` if nothing was
 * presented.
 *
 * Source: RFC 6750 §3, RFC 9728 §5.1, RFC 9470 §3.
 */
export function challengesFor(context: ChallengeContext, refusal?: Denied<OAuthBearerReason>): readonly Challenge[] {
  const { realm, scopes, otherSchemes, resourceMetadata } = context
  const metadata = resourceMetadata()
  const parameters = {
    realm,
    ...errorOf(refusal),
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
    ...refusal?.parameters,
    ...(metadata === undefined ? {} : { resource_metadata: metadata }),
  }
  const others = otherSchemes().map((scheme) => ({ scheme, parameters: { realm } }))
  return [{ scheme: 'Bearer', parameters }, ...others]
}

function errorOf(refusal: Denied<OAuthBearerReason> | undefined): Record<string, string> {
  const problem = refusal === undefined ? undefined : reasons[refusal.reason].problem
  return problem === undefined ? {} : { error: `${problem.error}`, error_description: `${problem.error_description}` }
}

const EXPOSED = ['WWW-Authenticate', 'DPoP-Nonce', 'Retry-After']

/** `Access-Control-Expose-Headers` for scripts in browsers, merged with what the app exposes already. */
export function mergeExposed(present: number | string | readonly string[] | undefined): string {
  const names = [present ?? []]
    .flat()
    .flatMap((field) => String(field).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const missing = EXPOSED.filter((name) => !names.some((one) => one.toLowerCase() === name.toLowerCase()))
  return [...names, ...missing].join(', ')
}
