import type { AuditEventType } from './event-types.js'

export type AuditOutcome = 'success' | 'failure' | 'error'
export type AuditSeverity = 'info' | 'warning' | 'critical'
export type AuditAttributes = Readonly<Record<string, string | number | boolean>>

/** What was presented, as it may be written down: identifiers and fingerprints, never the credential. */
export interface AuditCredential {
  readonly id?: string
  readonly version?: number
  readonly fingerprint?: string
}

/** The request a decision was made on. A query string never appears. */
export interface AuditHttp {
  readonly method: string
  /** The route template, or `*` where there is none. */
  readonly route: string
  /** The status that the gate answered; absent when the request was let through. */
  readonly status?: number
  /** The app's, else the event's own id: never the caller's header as it came. */
  readonly requestId?: string
  readonly clientAddress?: string
  readonly userAgent?: string
}

/**
 * One decision of a gate, or one change of state. Flat, frozen and JSON-safe: strings are capped and hold no control
 * characters, so a log line cannot be forged through a header.
 */
export interface AuditEvent {
  readonly schema: 1
  /** UUID */
  readonly id: string
  /** ISO 8601, UTC */
  readonly time: string
  readonly type: AuditEventType
  readonly outcome: AuditOutcome
  readonly severity: AuditSeverity
  /** The scheme of the gate that decided. */
  readonly gate?: string
  /** From the closed union of the gate's package. */
  readonly reason?: string
  /** OWASP Logging Vocabulary event name. */
  readonly owasp?: string
  readonly principal?: { readonly kind: string; readonly id: string }
  readonly credential?: AuditCredential
  readonly http?: AuditHttp
  /** Milliseconds that the gate took. */
  readonly latencyMs?: number
  /** Milliseconds of `latencyMs` that a store took. */
  readonly storeMs?: number
  readonly attributes?: AuditAttributes
}

/** What a caller of `emit` gives. `schema`, `id`, `time` are added; outcome and severity default by type. */
export type AuditEventInput = Omit<AuditEvent, 'schema' | 'id' | 'time' | 'outcome' | 'severity'> &
  Partial<Pick<AuditEvent, 'outcome' | 'severity'>>
