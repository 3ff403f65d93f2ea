import { denied, granted, isUnavailable, settle, unavailableBy } from '@countersign/core/gate-kit'
import { principalFrom } from './principal.js'
import type { McpCredentialVerdict } from './reasons.js'
import type { Resolution } from './registry/resolver.js'
import type { McpCredentials } from './registry.js'

/** Resolves a token, and turns the resolution into a verdict. Synchronous when the store is. */
export function verifyToken(
  token: string,
  credentials: Pick<McpCredentials, 'resolve'>,
): McpCredentialVerdict | Promise<McpCredentialVerdict> {
  return settle<Resolution, McpCredentialVerdict>(() => credentials.resolve(token), verdictOn, unavailableOn)
}

function verdictOn(resolution: Resolution): McpCredentialVerdict {
  const { standing, credential } = resolution
  if (credential === undefined) {
    // Nothing is proven, so the event has no principal.
    const id = standing === 'wrong_secret' ? resolution.credentialId : undefined
    return denied(standing, id === undefined ? {} : { detail: { credential: { id } } })
  }
  const { credentialId: id } = credential
  const detail = { principalId: id, credential: { id } }
  return standing === 'live' ? granted(principalFrom(credential), detail) : denied(standing, { detail })
}

function unavailableOn(error: unknown): McpCredentialVerdict {
  if (!isUnavailable(error) || error.dependency !== 'liveness') return unavailableBy(error, 'credential_store')
  // The event names what `isAlive` itself threw.
  return unavailableBy(error.cause ?? error, 'liveness')
}
