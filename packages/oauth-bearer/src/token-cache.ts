import { hash } from 'node:crypto'
import type { Clock } from '@countersign/core'
import type { Denied } from '@countersign/core/gate-kit'
import { checkTimes } from './claims.js'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import type { Signer, Verified } from './outcome.js'
import type { PresentedToken } from './read.js'
import type { OAuthBearerReason } from './reasons.js'

/** Verified tokens by {@link digestOf}. Values are frozen, and each hit is checked for all that can change. */
export interface TokenCache {
  /** Undefined if the token is not cached or must be verified again; a refusal if it has expired. */
  get(digest: string): Verified | Denied<OAuthBearerReason> | undefined
  set(digest: string, verified: Verified): void
  readonly size: number
}

/** The full SHA-256 of a token, preceded by its scheme unless that is Bearer. */
export function digestOf({ scheme, token }: PresentedToken): string {
  const digest = hash('sha256', token, 'base64')
  return scheme === 'bearer' ? digest : `${scheme}:${digest}`
}

/** Issuers with entries, at most: more than any gate has at once. */
const MAX_ISSUERS = 10_000

/** What is cached of one token. Its issuer's entries are a ring by their use, in which the issuer itself is `newer` than all. */
interface Entry extends Ring {
  readonly digest: string
  readonly verified: Verified
  readonly issuer: IssuerEntries
}

interface IssuerEntries extends Ring {
  readonly name: string
  count: number
}

interface Ring {
  older: Ring
  newer: Ring
}

/**
 * Makes a cache of at most `maxEntries` for each issuer, from which the least recently used goes first: one issuer's tokens
 * displace no other's. 0 caches nothing.
 */
export function createTokenCache(maxEntries: number, clock: Clock, sources: readonly KeySource[]): TokenCache {
  if (maxEntries === 0) return { get: () => undefined, set: () => undefined, size: 0 }
  const entries = new Map<string, Entry>()
  /** The one that has had no new token for longest is the first. */
  const issuers = new Map<string, IssuerEntries>()

  function drop(entry: Entry): void {
    entries.delete(entry.digest)
    entry.issuer.count -= 1
    unlink(entry)
  }

  function issuerOf(name: string): IssuerEntries {
    const known = issuers.get(name)
    if (known !== undefined) issuers.delete(name)
    const issuer = known ?? newIssuer(name)
    issuers.set(name, issuer)
    if (issuers.size > MAX_ISSUERS) {
      const [first] = issuers.values() as Iterable<IssuerEntries>
      if (first !== undefined) dropIssuer(first)
    }
    return issuer
  }

  function dropIssuer(issuer: IssuerEntries): void {
    while (issuer.count > 0) drop(issuer.newer as Entry)
    issuers.delete(issuer.name)
  }

  function purge(removed: ReadonlySet<TrustedKey>): void {
    for (const entry of entries.values()) {
      const { signer } = entry.verified
      if (signer !== undefined && removed.has(signer.key)) drop(entry)
    }
  }
  for (const source of sources) source.onRemoval(purge)

  return {
    get(digest) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      const { verified, issuer } = entry
      const untimely = checkTimes(verified, verified.toleranceMs, clock.now())
      const isKept = untimely === undefined && clock.monotonic() < (verified.keepUntilMs ?? 0)
      if (isKept && (verified.signer === undefined || isTrusted(verified.signer))) {
        if (issuer.older !== entry) link(unlink(entry), issuer)
        return verified
      }
      // The source may have withdrawn its key a moment ago: then it is gone already.
      if (entries.get(digest) === entry) drop(entry)
      return untimely?.reason === 'expired' ? untimely : undefined
    },
    set(digest, verified) {
      if (clock.monotonic() >= (verified.keepUntilMs ?? 0)) return
      const before = entries.get(digest)
      if (before !== undefined) drop(before)
      const issuer = issuerOf(verified.verdict.principal.issuer)
      if (issuer.count === maxEntries) drop(issuer.newer as Entry)
      const entry: Entry = { digest, verified, issuer, older: issuer, newer: issuer }
      link(entry, issuer)
      issuer.count += 1
      entries.set(digest, entry)
    },
    get size() {
      return entries.size
    },
  }
}

/** A ring of itself alone. */
function newIssuer(name: string): IssuerEntries {
  const issuer = { older: undefined, newer: undefined, name, count: 0 } as unknown as IssuerEntries
  issuer.older = issuer
  issuer.newer = issuer
  return issuer
}

function unlink<T extends Ring>(one: T): T {
  one.older.newer = one.newer
  one.newer.older = one.older
  return one
}

/** As the most recently used. */
function link(one: Ring, issuer: Ring): void {
  one.older = issuer.older
  one.newer = issuer
  issuer.older.newer = one
  issuer.older = one
}

/**
 * Asks the source as for a new token, so that cached tokens keep its keys fresh, too. If the answer takes a promise, the
 * token is verified again.
 */
function isTrusted({ source, key, algorithm }: Signer): boolean {
  const answer = source.find(key.kid, algorithm)
  return 'outcome' in answer && answer.outcome === 'found' && answer.keys.includes(key)
}
