import type { CredentialRecord } from '@countersign/mcp-credential'
import { isoTime } from '../durations.js'

/** A credential as it is printed; it holds no secret. */
export function describeCredential(credential: CredentialRecord, standing: string) {
  const { credentialId, threadId, providerInstanceId, providerSessionId, capabilities } = credential
  return {
    credentialId,
    standing,
    threadId,
    providerInstanceId,
    ...(providerSessionId === undefined ? {} : { providerSessionId }),
    capabilities,
    issuedAt: isoTime(credential.issuedAt),
    expiresAt: isoTime(credential.expiresAt),
    idleAt: isoTime(credential.idleAt),
  }
}
