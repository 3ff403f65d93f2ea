/** A key set as a {@link KeyCache} stores it. */
export interface CachedKeySet {
  /** The JWKS as the issuer published it. */
  readonly jwks: Readonly<Record<string, unknown>>
  /** When it was fetched, milliseconds since the epoch. */
  readonly fetchedAt: number
  /** For how many milliseconds it is fresh after that. */
  readonly freshMs: number
}

/**
 * Stores key sets for processes that start while an issuer is down. A gate trusts what `load` returns, so the value must
 * be authenticated: otherwise anyone who can write it can sign tokens. What it throws is an outage, and the gate then asks
 * the issuer; a bug (decision 0006) is answered with 500.
 */
export interface KeyCache {
  /** Undefined if there is no authentic key set of this issuer. */
  load(issuer: string): Promise<CachedKeySet | undefined>
  save(issuer: string, keySet: CachedKeySet): Promise<void>
}
