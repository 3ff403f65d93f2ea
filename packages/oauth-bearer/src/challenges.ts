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
  /** Whether a bearer token is enough. */
  readonly takesBearer: boolean
  /** The signature algorithms of DPoP proofs; undefined where none are checked. */
  readonly dpopAlgorithms: readonly string[] | undefined
}

/**
 * The challenges of a refusal, Bearer first, because clients read only the first one. The error is in the challenge of the
 * scheme that was presented; there is none if nothing was.
 *
 * Source: RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1, RFC 9470 §3.
 */
export function challengesFor(context: ChallengeContext, refusal?: Denied<OAuthBearerReason>): readonly Challenge[] {
  const { realm, scopes, otherSchemes, resourceMetadata, takesBearer, dpopAlgorithms } = context
  const metadata = resourceMetadata()
  const parametersOf = (told?: Denied<OAuthBearerReason>) => ({
    realm,
    ...errorOf(told),
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
    ...told?.parameters,
    ...(metadata === undefined ? {} : { resource_metadata: metadata }),
  })
  const isOfProof = dpopAlgorithms !== undefined && (!takesBearer || refusal?.detail?.attributes?.scheme === 'dpop')
  const challenges: Challenge[] = []
  if (takesBearer) challenges.push({ scheme: 'Bearer', parameters: parametersOf(isOfProof ? undefined : refusal) })
  if (dpopAlgorithms !== undefined) {
    const parameters = { ...parametersOf(isOfProof ? refusal : undefined), algs: dpopAlgorithms.join(' ') }
    challenges.push({ scheme: 'DPoP', parameters })
  }
  return [...challenges, ...otherSchemes().map((scheme) => ({ scheme, parameters: { realm } }))]
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
