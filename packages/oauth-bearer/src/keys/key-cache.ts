/** A key set as it is kept outside of the process. */
export interface CachedKeySet {
  /** The JWKS as the issuer published it. */
  readonly jwks: Readonly<Record<string, unknown>>
  /** When it was fetched, ms since the epoch. */
  readonly fetchedAt: number
  /** How long it is fresh, from then on. */
  readonly freshMs: number
}

/**
 * Where key sets are kept for processes that start while an issuer is down. What it returns is trusted: it must be
 * authenticated, or whoever can write there can sign.
 */
export interface KeyCache {
  /** Undefined when there is none, or none that is authentic. */
  load(issuer: string): Promise<CachedKeySet | undefined>
  save(issuer: string, keySet: CachedKeySet): Promise<void>
}
