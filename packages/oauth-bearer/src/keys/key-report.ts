import type { Audit } from '@countersign/core'
import { describeError } from '@countersign/core/gate-kit'
import { FetchError } from '../http/request.js'

/** Reports to the audit what happens to an issuer's keys. */
export interface KeyReport {
  /** The issuer did not deliver keys; called once for each outage. */
  failed(error: unknown, isServedStale: boolean): void
  /** The issuer delivers keys again. */
  recovered(): void
  /** The key cache threw. Requests do not depend on it. */
  cacheFailed(error: unknown): void
  rotated(added: number, removed: number): void
}

/** What went wrong, in constant words: never what the other side said. */
export function failureOf(error: unknown): string {
  return error instanceof FetchError ? error.message : 'internal_error'
}

/** Makes the report of one issuer. */
export function keyReport(audit: Audit, issuer: string): KeyReport {
  return {
    failed(error, isServedStale) {
      if (!audit.active) return
      const own = error instanceof FetchError ? {} : describeError(error)
      const attributes = { issuer, failure: failureOf(error), stale_keys_used: isServedStale, ...own }
      void audit.emit({ type: 'oauth.keys.unavailable', gate: 'oauth-bearer', reason: 'keys', attributes })
    },
    recovered() {
      if (audit.active) void audit.emit({ type: 'oauth.keys.recovered', gate: 'oauth-bearer', attributes: { issuer } })
    },
    cacheFailed(error) {
      if (!audit.active) return
      const attributes = { issuer, failure: 'key_cache', ...describeError(error) }
      void audit.emit({ type: 'oauth.keys.uncached', gate: 'oauth-bearer', attributes })
    },
    rotated(added, removed) {
      if (!audit.active) return
      void audit.emit({ type: 'oauth.keys.rotated', gate: 'oauth-bearer', attributes: { issuer, added, removed } })
    },
  }
}
