import type { DiagnosticAttributes } from './attributes.js'
import type { AuditEventType, AuditOutcome, AuditSeverity } from './event-types.js'

/** What was seen against what was expected. Names are snake_case; those of {@link DiagnosticAttributes} have their types. */
export type AuditAttributes = DiagnosticAttributes & Readonly<Record<string, string | number | boolean>>

/** What was presented, as it may be written down: identifiers and fingerprints, never the credential. */
export interface AuditCredential {
  readonly id?: string | undefined
  readonly version?: number | undefined
  readonly fingerprint?: string | undefined
}

/** The request a decision was made on. A query string never appears. */
export interface AuditHttp {
  readonly method: string
  /** The route template, or `*` where there is none. */
  readonly route: string
  /** The status that the gate answered; absent when the request was let through. */
  readonly status?: number | undefined
  /** The app's, else the event's own id: never the caller's header as it came. */
  readonly requestId?: string | undefined
  readonly clientAddress?: string | undefined
  readonly userAgent?: string | undefined
}

/**
 * One decision of a gate, or one change of state. Flat, frozen and JSON-safe: strings are capped and hold no control
 * characters, so a log line cannot be forged through a header.
 */
export interface AuditEvent {
  /** The version of this shape. */
  readonly schema: 1
  /** UUID */
  readonly id: string
  /** ISO 8601, UTC */
  readonly time: string
  /** What happened: see the catalogue of events. */
  readonly type: AuditEventType
  /** How it ended. */
  readonly outcome: AuditOutcome
  /** How much an operator should care. */
  readonly severity: AuditSeverity
  /** The kind of the gate that decided. */
  readonly gate?: string | undefined
  /** From the closed union of the gate's package. */
  readonly reason?: string | undefined
  /** OWASP Logging Vocabulary event name. */
  readonly owasp?: string | undefined
  /** Who was verified, or a configured name. Otherwise the id is `unknown`. */
  readonly principal?: { readonly kind: string; readonly id: string } | undefined
  /** What was presented, never the credential itself. */
  readonly credential?: AuditCredential | undefined
  /** The request; absent where a decision has none. */
  readonly http?: AuditHttp | undefined
  /** Milliseconds that the gate took. */
  readonly latencyMs?: number | undefined
  /** Milliseconds of `latencyMs` that a store took. */
  readonly storeMs?: number | undefined
  /** What was seen against what was expected: at most 32 members. */
  readonly attributes?: AuditAttributes | undefined
}

/** What a caller of `emit` gives. `schema`, `id`, `time` are added; outcome and severity default by type. */
export type AuditEventInput = Omit<AuditEvent, 'schema' | 'id' | 'time' | 'outcome' | 'severity'> & {
  readonly outcome?: AuditOutcome | undefined
  readonly severity?: AuditSeverity | undefined
}
