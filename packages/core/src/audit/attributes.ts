/**
 * The attributes that say what was seen against what was expected, each with its type. What a request says of itself is
 * cut and cleaned like every text of an event; a list is one text, separated by spaces. Seconds are to the millisecond.
 */
export interface DiagnosticAttributes {
  /** For `expired` and `idle`: how long ago the credential stopped being valid, without the clock tolerance. */
  readonly late_by_seconds?: number
  /** For `not_yet_valid`: how long until the credential becomes valid, without the clock tolerance. */
  readonly early_by_seconds?: number
  /** How far clocks may differ. */
  readonly tolerance_seconds?: number
  /** For a signature: its age by its own timestamp; negative if it is dated in the future. */
  readonly skew_seconds?: number
  /** For `expired` and `not_yet_valid`: how far in the past, or in the future, a signature may be dated. */
  readonly window_seconds?: number
  /** For `wrong_audience`: the credential's audiences. */
  readonly audiences?: string
  /** For `wrong_audience`: the audiences that the gate accepts. */
  readonly expected_audiences?: string
  /** For `wrong_audience`: the client that the token was issued to, if only some clients are accepted. */
  readonly client_id?: string
  /** For `wrong_audience`: the clients that are accepted. */
  readonly expected_client_ids?: string
  /** For `wrong_issuer`: the issuer that the token names. */
  readonly token_issuer?: string
  /** For `wrong_issuer`: the issuers that are accepted. */
  readonly expected_issuers?: string
  /** For `wrong_algorithm`: the algorithm that the token names. */
  readonly algorithm?: string
  /** For `wrong_algorithm`: the algorithms that are accepted. */
  readonly expected_algorithms?: string
  /** For `wrong_type`: the type that the token names, or `none`. */
  readonly token_type?: string
  /** For `wrong_type`: the types that are accepted. */
  readonly expected_types?: string
  /** For `unknown_key`: the key that the token names. */
  readonly key_id?: string
  /** For `missing_claim`: the claim that is missing or has the wrong type. For `wrong_type`: a claim that access tokens do not have. */
  readonly claim?: string
  /** The authentication scheme of the credential, if a gate accepts more than one. */
  readonly scheme?: string
  /** For `bound_token`: what the token is bound to (the members of its `cnf`), or `none`. */
  readonly binding?: string
  /** For `bound_token`: what it must be bound to here; `none` for a bearer token. */
  readonly expected_binding?: string
  /** The thumbprint of the key that the sender of a token has proven (RFC 7638). */
  readonly jkt?: string
  /** For `malformed`, similar reasons and `ambiguous`: which part of the credential. One of our constants. */
  readonly part?: string
  /** For `malformed` and `bad_proof`: a known mistake in that part, such as `milliseconds` instead of seconds. */
  readonly hint?: string
  /** For a body or a token that is too long: the limit. */
  readonly limit_bytes?: number
  /** For `insufficient_scope`: the scopes or capabilities that the holder has. */
  readonly scopes_held?: string
  /** For `insufficient_scope`: the scopes or capabilities that are needed. */
  readonly scopes_needed?: string
  /** For `stale`: how long ago the person was verified. */
  readonly age_seconds?: number
  /** For `stale`: the longest accepted age. */
  readonly max_age_seconds?: number
  /** For `wrong_kind`: the kind of the session. */
  readonly kind?: string
  /** For `wrong_kind`: the kinds that are accepted. */
  readonly expected_kinds?: string
  /** For an unreachable dependency: `timeout`, the code or name of the cause, or the error word of a Redis reply. */
  readonly failure?: string
  /** For `mcp.credential.issued`: what the credential allows. */
  readonly capabilities?: string
  /** For a change of state: the cause, if the type does not say it. */
  readonly cause?: string
  /** For a revocation: who asked for it, as named by the app that revoked. */
  readonly operator?: string
}

/** A text of an event has at most so many UTF-16 units. */
export const MAX_TEXT = 256

/** Milliseconds as an attribute in seconds. */
export function inSeconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000
}

/**
 * A list as one attribute: as many of its texts as fit, and `…+n` when n more do not. Bounded, however long a list a
 * stranger sends. A list that is one text is that text.
 */
export function listed(values: readonly string[] | string): string {
  const list = typeof values === 'string' ? [values] : values
  let text = ''
  for (const [index, value] of list.entries()) {
    const next = index === 0 ? value : `${text} ${value}`
    // The first one is cut as every text is.
    if (index > 0 && next.length > MAX_TEXT - 8) return `${text.slice(0, MAX_TEXT - 8)} …+${list.length - index}`
    text = next
  }
  return text
}
