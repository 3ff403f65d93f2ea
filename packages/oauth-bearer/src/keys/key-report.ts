import type { Audit } from '@countersign/core'
import { FetchError } from '../http/request.js'

/** Tells the audit what becomes of an issuer's keys. */
export interface KeyReport {
  /** Once for each outage. */
  failed(error: unknown, isServedStale: boolean): void
  rotated(added: number, removed: number): void
}

export function keyReport(audit: Audit, issuer: string): KeyReport {
  return {
    failed(error, isServedStale) {
      if (!audit.active) return
      const failure = error instanceof FetchError ? error.message : 'internal_error'
      const attributes = { issuer, failure, stale_keys_go_on: isServedStale }
      void audit.emit({ type: 'oauth.keys.unavailable', gate: 'oauth-bearer', reason: 'keys', attributes })
    },
    rotated(added, removed) {
      if (!audit.active) return
      void audit.emit({ type: 'oauth.keys.rotated', gate: 'oauth-bearer', attributes: { issuer, added, removed } })
    },
  }
}
