import { singleton } from '../singleton.js'
import type { Granted } from './verdict.js'

/** What one gate granted on one request. A request's grants are a list, the last one first. */
export interface Grant {
  readonly verdict: Granted
  /** What the gate read. */
  readonly credential: unknown
  /** The object that verified: a registry, or the gate itself. */
  readonly verifier: object
  readonly before: Grant | undefined
}

/** The grants of each request: private, so that nothing else on a request can pass for one. */
const grants = singleton('grants', () => new WeakMap<object, Grant>())

/** The last grant on a request, and through `before` all of them. */
export function lastGrant(request: object): Grant | undefined {
  return grants.get(request)
}

/** Adds a grant. */
export function addGrant(request: object, verdict: Granted, credential: unknown, verifier: object): void {
  grants.set(request, { verdict, credential, verifier, before: grants.get(request) })
}

/** Removes the last grant: it could not be recorded. */
export function removeGrant(request: object): void {
  const before = grants.get(request)?.before
  if (before === undefined) grants.delete(request)
  else grants.set(request, before)
}

/**
 * What `verifier` authenticated on this very request, if it did: the credential and the granted verdict. So a gate that is
 * mounted on a router and on its route, or two gates of one registry, authenticate a request once. What a gate demands
 * beyond that is not remembered.
 */
export function once(request: object, verifier: object): Grant | undefined {
  let grant = grants.get(request)
  while (grant !== undefined && grant.verifier !== verifier) grant = grant.before
  return grant
}
