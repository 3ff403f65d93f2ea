import { OptionError } from '@countersign/core'
import { denied, option, resolveOptions } from '@countersign/core/gate-kit'
import type { OAuthBearerPrincipal } from './principal.js'
import type { OAuthBearerVerdict } from './reasons.js'
import { assertScopes, type ScopeCheck } from './scopes.js'

/** What one operation needs beyond a valid token. */
export interface Needs {
  readonly scopes: readonly string[]
  readonly stepUp?: StepUp
}

/** How, or how lately, the user must have been authenticated (RFC 9470). */
export interface StepUp {
  /** One of these authentication context classes. */
  readonly acr?: readonly string[]
  /** At most so long ago. */
  readonly maxAgeSeconds?: number
}

export interface StepUpOptions extends StepUp {
  /** Scopes that the operation needs as well. */
  readonly scopes?: readonly string[]
}

const rules = {
  acr: option.strings(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a list of acr values without spaces'),
  maxAgeSeconds: option.integer(0, 31_536_000),
  scopes: option.strings().default([]),
}

/** @throws {OptionError} */
export function resolveStepUp(options: StepUpOptions): Needs {
  const { acr, maxAgeSeconds, scopes } = resolveOptions('requireOAuthBearer', options, rules, 'stepUp.')
  assertScopes(scopes, 'stepUp.scopes')
  if (acr?.length === 0 || (acr ?? maxAgeSeconds) === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'stepUp.acr',
      'requireOAuthBearer: stepUp() asks for nothing: set "acr", "maxAgeSeconds" or both',
    )
  }
  return { scopes, stepUp: { acr, maxAgeSeconds } }
}

/** What is lacking for an operation; undefined when nothing is. A scope that is lacking comes first. */
export function lacking(
  principal: OAuthBearerPrincipal,
  { scopes, stepUp }: Needs,
  hasScopes: ScopeCheck,
  now: number,
  toleranceMs: number,
): OAuthBearerVerdict | undefined {
  const detail = { principalId: principal.id }
  if (!hasScopes(principal.scopes, scopes)) return denied('insufficient_scope', { detail })
  if (stepUp === undefined || isStrong(principal.claims, stepUp, now, toleranceMs)) return undefined
  const { acr, maxAgeSeconds } = stepUp
  const parameters = {
    ...(acr === undefined ? {} : { acr_values: acr.join(' ') }),
    ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
  }
  return denied('insufficient_authentication', { detail, parameters })
}

function isStrong(
  { acr, auth_time: authTime }: Readonly<Record<string, unknown>>,
  wanted: StepUp,
  now: number,
  toleranceMs: number,
): boolean {
  if (wanted.acr !== undefined && !(typeof acr === 'string' && wanted.acr.includes(acr))) return false
  if (wanted.maxAgeSeconds === undefined) return true
  return typeof authTime === 'number' && now <= (authTime + wanted.maxAgeSeconds) * 1000 + toleranceMs
}
