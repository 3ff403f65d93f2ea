import { type Clock, OptionError } from '@countersign/core'
import { denied, type Granted, listed, memberOf, option, resolveOptions } from '@countersign/core/gate-kit'
import type { OAuthBearerVerdict } from './outcome.js'
import type { OAuthBearerPrincipal } from './principal.js'

/** How, or how recently, the user must have been authenticated (RFC 9470), and scopes for the same operation. */
export interface StepUpOptions {
  /** One of these authentication context classes. */
  readonly acr?: readonly string[] | undefined
  /** How long ago the user may have been authenticated, at most. OpenID Connect's `max_age`. */
  readonly maxAuthAgeSeconds?: number | undefined
  /** Scopes that the operation needs as well. */
  readonly scopes?: readonly string[] | undefined
}

/** What one operation needs beyond a valid token. */
export interface Needs {
  readonly scopes: readonly string[]
  readonly acr?: readonly string[] | undefined
  readonly maxAuthAgeSeconds?: number | undefined
  /** The token must be bound to a key that its sender proved to have. */
  readonly isBound?: boolean | undefined
}

const rules = {
  acr: option.strings(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a list of acr values without spaces'),
  maxAuthAgeSeconds: option.seconds(0, 31_536_000),
  scopes: option.strings().default([]),
}

/** @throws {OptionError} */
export function resolveStepUp(options: StepUpOptions): Needs {
  const needs = resolveOptions('requireOAuthBearer', options, rules, 'stepUp.')
  assertScopes(needs.scopes, 'stepUp.scopes')
  if (needs.acr?.length === 0 || (needs.acr ?? needs.maxAuthAgeSeconds) === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'stepUp.acr',
      'requireOAuthBearer: stepUp() requires nothing: set "acr", "maxAuthAgeSeconds" or both',
    )
  }
  return needs
}

/** What demands are checked with. */
export interface DemandContext {
  readonly hasScopes: ScopeCheck
  /** The scopes that operations of this resource need, and those that include one. */
  readonly relevantScopes: ReadonlySet<string>
  readonly clock: Clock
  readonly toleranceMs: number
}

/**
 * Makes the check of what an operation needs. It runs on every request, also on a token that an earlier gate verified.
 * A missing scope is reported first. The challenge also names the scopes that the token has for other operations: a client
 * that asks for what the challenge names, and no more, would lose them, and be sent back for them without end.
 */
export function createDemand(
  needs: Needs,
  { hasScopes, relevantScopes, clock, toleranceMs }: DemandContext,
): (verdict: Granted<OAuthBearerPrincipal>) => OAuthBearerVerdict {
  const { scopes, acr, maxAuthAgeSeconds, isBound } = needs
  const stronger = {
    ...(acr === undefined ? {} : { acr_values: acr.join(' ') }),
    ...(maxAuthAgeSeconds === undefined ? {} : { max_age: String(Math.floor(maxAuthAgeSeconds)) }),
  }
  const withHeld = (held: readonly string[]) => {
    const kept = held.filter((scope) => relevantScopes.has(scope))
    return kept.length === 0 ? {} : { scope: [...new Set([...scopes, ...kept])].join(' ') }
  }
  return (verdict) => {
    const { principal, detail } = verdict
    const { id: principalId, scopes: held } = principal
    if (isBound === true && memberOf(principal, 'confirmation')?.jkt === undefined) {
      const attributes = { ...detail?.attributes, binding: 'none', expected_binding: 'jkt' }
      return denied('bound_token', { detail: { ...detail, principalId, attributes } })
    }
    if (!hasScopes(held, scopes)) {
      const attributes = { ...detail?.attributes, scopes_held: listed(held), scopes_needed: listed(scopes) }
      return denied('insufficient_scope', {
        detail: { ...detail, principalId, attributes },
        parameters: withHeld(held),
      })
    }
    if (isStrong(principal.claims, needs, clock.now(), toleranceMs)) return verdict
    const parameters = { ...stronger, ...withHeld(held) }
    return denied('insufficient_authentication', { detail: { ...detail, principalId }, parameters })
  }
}

function isStrong(
  claims: Readonly<Record<string, unknown>>,
  { acr: accepted, maxAuthAgeSeconds }: Needs,
  now: number,
  toleranceMs: number,
): boolean {
  if (accepted !== undefined) {
    const acr = memberOf(claims, 'acr')
    if (typeof acr !== 'string' || !accepted.includes(acr)) return false
  }
  if (maxAuthAgeSeconds === undefined) return true
  const authTime = memberOf(claims, 'auth_time')
  return typeof authTime === 'number' && now <= (authTime + maxAuthAgeSeconds) * 1000 + toleranceMs
}

/** Whether the granted scopes cover the needed ones. */
export type ScopeCheck = (granted: readonly string[], needed: readonly string[]) => boolean

/** Makes a check that knows which scope implies which, through any number of steps. */
export function createScopeCheck(implies: Readonly<Record<string, readonly string[]>>): ScopeCheck {
  const coveredBy = new Map<string, Set<string>>()
  for (const scope of Object.keys(implies)) {
    for (const implied of closure(scope, implies)) {
      coveredBy.set(implied, (coveredBy.get(implied) ?? new Set()).add(scope))
    }
  }
  return (granted, needed) =>
    needed.every((scope) => {
      if (granted.includes(scope)) return true
      const covering = coveredBy.get(scope)
      return covering !== undefined && granted.some((one) => covering.has(one))
    })
}

function closure(scope: string, implies: Readonly<Record<string, readonly string[]>>): Set<string> {
  const found = new Set([scope])
  for (const one of found) if (Object.hasOwn(implies, one)) for (const implied of implies[one] ?? []) found.add(implied)
  return found
}

/** RFC 6749 §3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether a text is one scope (RFC 6749 §3.3): printable ASCII without spaces, quotes and backslashes. */
export function isScope(text: string): boolean {
  return SCOPE.test(text)
}

/**
 * Refuses what is not a scope of a resource. `offline_access` is between a client and its authorization server: a resource
 * that names it makes every client ask for refresh tokens.
 *
 * @throws {OptionError}
 */
export function assertScopes(scopes: readonly string[], name: string): void {
  const wrong = scopes.find((scope) => !isScope(scope))
  if (wrong !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `requireOAuthBearer: "${name}" contains ${JSON.stringify(wrong)}, which is not a scope: a scope is printable ASCII without spaces, quotes and backslashes`,
    )
  }
  if (scopes.includes('offline_access')) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `requireOAuthBearer: "${name}" contains offline_access, which is not a scope of a resource: leave it out`,
    )
  }
}

/**
 * The scopes that `scopes(…)` names: one or more, or one list of them.
 *
 * @throws {OptionError} when there is none: a gate that was to demand one would demand nothing.
 */
export function scopesNamed(given: readonly unknown[]): readonly string[] {
  const list: readonly unknown[] = given.length === 1 && Array.isArray(given[0]) ? given[0] : given
  if (list.length === 0 || list.some((scope) => typeof scope !== 'string')) {
    throw new OptionError(
      list.length === 0 ? 'ERR_COUNTERSIGN_OPTION_MISSING' : 'ERR_COUNTERSIGN_OPTION_INVALID',
      'scopes()',
      `requireOAuthBearer: scopes() takes the scopes that the operation needs, such as scopes('files:write')`,
    )
  }
  assertScopes(list as readonly string[], 'scopes()')
  return list as readonly string[]
}
