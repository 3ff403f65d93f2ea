/**
 * The attributes that say what was seen against what was expected, each with its type. What a request says of itself is
 * cut and cleaned like every text of an event; a list is one text, separated by spaces. Seconds are to the millisecond.
 */
export interface DiagnosticAttributes {
  /** Of `expired` and `idle`: for how long what was presented has not been valid, the clock tolerance not counted. */
  readonly late_by_seconds?: number
  /** Of `not_yet_valid`: how long it is until what was presented is valid, the clock tolerance not counted. */
  readonly early_by_seconds?: number
  /** By how much clocks may differ. */
  readonly tolerance_seconds?: number
  /** Of a signature: how old it is by its own time; below zero where it is dated ahead. */
  readonly skew_seconds?: number
  /** Of `expired` and `not_yet_valid`: how old, or how far ahead, a signature may be. */
  readonly window_seconds?: number
  /** Of `wrong_audience`: for whom the credential is. */
  readonly audiences?: string
  /** Of `wrong_audience`: who we are. */
  readonly expected_audiences?: string
  /** Of `wrong_audience`: the client that the token was issued to, where only some clients are accepted. */
  readonly client_id?: string
  /** Of `wrong_audience`: the clients that are accepted. */
  readonly expected_client_ids?: string
  /** Of `wrong_issuer`: the issuer that the token names. */
  readonly token_issuer?: string
  /** Of `wrong_issuer`: the issuers that are accepted. */
  readonly expected_issuers?: string
  /** Of `wrong_algorithm`: the algorithm that the token names. */
  readonly algorithm?: string
  /** Of `wrong_algorithm`: the algorithms that are accepted. */
  readonly expected_algorithms?: string
  /** Of `wrong_type`: the type that the token names; `none` where it names none. */
  readonly token_type?: string
  /** Of `wrong_type`: the types that are accepted. */
  readonly expected_types?: string
  /** Of `unknown_key`: the key that the token names. */
  readonly key_id?: string
  /** Of `missing_claim`: the claim that is missing or has a wrong type. Of `wrong_type`: the one that access tokens do not have. */
  readonly claim?: string
  /** The authentication scheme of what was presented, where a gate takes more than one. */
  readonly scheme?: string
  /** Of `bound_token`: what the token is bound to, the members of its `cnf`; `none` where it is bound to nothing. */
  readonly binding?: string
  /** Of `bound_token`: what it must be bound to here; `none` for a bearer token. */
  readonly expected_binding?: string
  /** The thumbprint of the key that the sender of a token proved to have (RFC 7638). */
  readonly jkt?: string
  /** Of `malformed` and its like, and of `ambiguous`: which part of what was presented. A constant of ours. */
  readonly part?: string
  /** Of `malformed` and `bad_proof`: what is wrong with that part, where it is a known mistake, such as `milliseconds` for seconds. */
  readonly hint?: string
  /** Of a body or a token that is too long: the most that is accepted. */
  readonly limit_bytes?: number
  /** Of `insufficient_scope`: the scopes or capabilities that the holder has. */
  readonly scopes_held?: string
  /** Of `insufficient_scope`: the scopes or capabilities that are needed. */
  readonly scopes_needed?: string
  /** Of `stale`: how long ago the person was verified. */
  readonly age_seconds?: number
  /** Of `stale`: how long ago that may be. */
  readonly max_age_seconds?: number
  /** Of `wrong_kind`: the kind of the session. */
  readonly kind?: string
  /** Of `wrong_kind`: the kinds that are accepted. */
  readonly expected_kinds?: string
  /** Of a dependency that could not be asked: `timeout`, the code or name of what caused it, or the word of an error reply of Redis. */
  readonly failure?: string
  /** Of `mcp.credential.issued`: what the credential allows. */
  readonly capabilities?: string
  /** Of a change of state: what brought it about, where that is not its type. */
  readonly cause?: string
  /** Of a revocation: who asked for it, as the app that revoked names them. */
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
