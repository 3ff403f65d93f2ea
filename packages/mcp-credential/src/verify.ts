import { denied, granted, inSeconds, isUnavailable, settle, unavailableBy } from '@countersign/core/gate-kit'
import { principalFrom } from './principal.js'
import type { McpCredentialVerdict } from './reasons.js'
import type { Resolution } from './registry/resolver.js'
import type { McpCredentials } from './registry.js'
import { malformedPartOf } from './token.js'

/** Resolves a token, and turns the resolution into a verdict. Synchronous when the store is. */
export function verifyToken(
  token: string,
  credentials: Pick<McpCredentials, 'resolve' | 'prefix'>,
): McpCredentialVerdict | Promise<McpCredentialVerdict> {
  return settle<Resolution, McpCredentialVerdict>(
    () => credentials.resolve(token),
    (resolution) => verdictOn(resolution, token, credentials.prefix),
    unavailableOn,
  )
}

function verdictOn(resolution: Resolution, token: string, prefix: string): McpCredentialVerdict {
  const { standing, credential } = resolution
  if (credential === undefined) {
    // Nothing is proven, so the event has no principal.
    if (standing === 'wrong_secret')
      return denied(standing, { detail: { credential: { id: resolution.credentialId } } })
    if (standing === 'unknown') return denied(standing)
    return denied(standing, { detail: { attributes: { part: malformedPartOf(prefix, token) } } })
  }
  const { credentialId: id } = credential
  const detail = { principalId: id, credential: { id } }
  if (standing === 'live') return granted(principalFrom(credential), detail)
  const { lateMs } = resolution
  const attributes = lateMs === undefined ? undefined : { late_by_seconds: inSeconds(lateMs) }
  return denied(standing, { detail: { ...detail, attributes } })
}

function unavailableOn(error: unknown): McpCredentialVerdict {
  if (!isUnavailable(error) || error.dependency !== 'liveness') return unavailableBy(error, 'credential_store')
  // The event names what `isAlive` itself threw.
  return unavailableBy(error.cause ?? error, 'liveness')
}
