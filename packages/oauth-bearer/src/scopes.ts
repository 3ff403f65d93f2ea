import { OptionError } from '@countersign/core'

/** A scope token of RFC 6749 §3.3. */
export const SCOPE_PATTERN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether scopes that were granted cover those that are needed. */
export type ScopeCheck = (granted: readonly string[], needed: readonly string[]) => boolean

/** A check that knows which scope implies which, through any number of steps. */
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
  for (const one of found) for (const implied of implies[one] ?? []) found.add(implied)
  return found
}

/**
 * Scopes that a resource may ask for. `offline_access` is between a client and its authorization server: a resource that
 * names it makes every client ask for refresh tokens.
 *
 * @throws {OptionError}
 */
export function assertScopes(scopes: readonly string[], name: string): void {
  const wrong = scopes.find((scope) => !SCOPE_PATTERN.test(scope))
  if (wrong !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `requireOAuthBearer: "${name}" has ${JSON.stringify(wrong)}, which is no scope: one scope is printable ASCII without spaces, quotes and backslashes`,
    )
  }
  if (scopes.includes('offline_access')) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `requireOAuthBearer: "${name}" has offline_access, which is no scope of a resource: leave it out`,
    )
  }
}
