import type { KeyObject } from 'node:crypto'
import type { Clock } from '@countersign/core'
import { andThen } from '@countersign/core/gate-kit'
import { SHARED_CALLER } from '../formats/grammar.js'
import { cachedVersions } from './cache.js'
import type { HmacSecretStore, HmacSecretVersion } from './port.js'

/** Of a signature that names no version, at most this many of the newest active versions are tried. */
export const MAX_TRIED_VERSIONS: number = 8

/** A version whose row has opened. */
export type OpenVersion = HmacSecretVersion & { readonly key: KeyObject }

/** What may have signed. */
export interface FoundKeys {
  readonly keys: readonly OpenVersion[]
  /** Whether a version that may have signed does not open. */
  readonly hasUnreadable: boolean
  /** Why there is none. */
  readonly missing: 'unknown_key_version' | 'no_active_secret'
  /** Whose secrets count: the caller's own, the shared one, or both. */
  readonly secrets: 'own' | 'shared' | 'own shared'
}

/** Whether a name is a caller's: one of the closed list, else one that the store names without asking anyone. */
export function isKnownCaller(name: string, callers: ReadonlySet<string> | undefined, store: HmacSecretStore): boolean {
  return callers === undefined ? store.knows?.(name) === true : callers.has(name)
}

/** The versions of a caller's secret that could have signed: the pinned one, or the active ones newest first. */
export function findKeys(
  store: HmacSecretStore,
  caller: string,
  version: number | undefined,
  clock: Clock,
): FoundKeys | Promise<FoundKeys> {
  const now = clock.now()
  return andThen(cachedVersions(store, caller, version, clock), (own) => {
    if (own.length > 0 && !acceptsShared(own, now)) return { ...select(own, version, now), secrets: 'own' }
    return andThen(cachedVersions(store, SHARED_CALLER, version, clock), (shared) => {
      const found = select(shared, version, now)
      return own.length === 0 ? { ...found, secrets: 'shared' } : both(select(own, version, now), found)
    })
  })
}

/**
 * Whether the shared secret counts beside a caller's own versions: only where that was said, and only while one of them has
 * not ended, so that revoking all of them stops the caller. See decision 0100.
 */
function acceptsShared(own: readonly HmacSecretVersion[], now: number): boolean {
  return own.some((entry) => entry.acceptsShared === true) && own.some((entry) => !hasEnded(entry, now))
}

type Selected = Omit<FoundKeys, 'secrets'>

function both(own: Selected, shared: Selected): FoundKeys {
  return {
    keys: [...own.keys, ...shared.keys],
    hasUnreadable: own.hasUnreadable || shared.hasUnreadable,
    missing: own.missing === 'unknown_key_version' ? shared.missing : own.missing,
    secrets: 'own shared',
  }
}

function select(versions: readonly HmacSecretVersion[], version: number | undefined, now: number): Selected {
  const active = versions.filter((entry) => isActive(entry, now))
  const wanted = version === undefined ? active : active.filter((entry) => entry.version === version)
  const isKnownVersion = version === undefined || versions.some((entry) => entry.version === version)
  return {
    keys: wanted.filter(isOpen).slice(0, MAX_TRIED_VERSIONS),
    hasUnreadable: wanted.some((entry) => !isOpen(entry)),
    missing: isKnownVersion ? 'no_active_secret' : 'unknown_key_version',
  }
}

function isOpen(entry: HmacSecretVersion): entry is OpenVersion {
  return entry.key !== undefined
}

/** Whether a version verifies at a moment. */
export function isActive(secret: HmacSecretVersion, now: number): boolean {
  // What was valid when it was made stays so when the clock is put back.
  const hasBegun = secret.notBefore <= secret.createdAt || secret.notBefore <= now
  return hasBegun && !hasEnded(secret, now)
}

/** Whether a version is revoked, or has expired at a moment. */
export function hasEnded({ revokedAt, expiresAt }: HmacSecretVersion, now: number): boolean {
  return revokedAt !== undefined || (expiresAt !== undefined && expiresAt <= now)
}
