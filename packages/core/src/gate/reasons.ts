import type { WarningCode } from '../homepage.js'
import type { Problem } from './problem.js'

/** What one reason means to the client and to the audit. Data, so that it is in one place. */
export interface ReasonEntry {
  /** The HTTP status of the answer. */
  readonly status: 400 | 401 | 403 | 404 | 413 | 415 | 429
  /** Event name of the OWASP Logging Vocabulary, e.g. `authn_login_fail`. */
  readonly owasp: string
  /** Default `warning`. */
  readonly severity?: 'info' | 'warning' | 'critical' | undefined
  /**
   * Constant members of the problem document. All unproven reasons of a gate share one, so that the body tells nothing.
   * `error` and `error_description` are for OAuth clients.
   */
  readonly problem?: Problem | undefined
  /** What the operator is told, once for each cause, where the reason may come of a mistake in the configuration. */
  readonly warning?: ReasonWarning | undefined
}

/** A warning for the operator. Its message has the attributes of the refusal: what was seen against what was expected. */
export interface ReasonWarning {
  readonly code: WarningCode
  /** What to do about it. */
  readonly remedy: string
  /**
   * The attribute that tells one cause from another: one whose values are configured, never what a request says. A refusal
   * without it is not told. Default: the reason has one cause.
   */
  readonly causedBy?: string | undefined
}

/** The meaning of every reason of a gate. `missing` is always one of them. */
export type ReasonTable<R extends string> = Readonly<Record<R, ReasonEntry>>
