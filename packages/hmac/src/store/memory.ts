import { type Audit, type Clock, OptionError } from '@countersign/core'
import { andThen, resolveOptions } from '@countersign/core/gate-kit'
import { secretKey } from '../secret-key.js'
import {
  addedAttributes,
  assertMoment,
  grantChange,
  planRotation,
  recordForgotten,
  recordShared,
  reportChange,
  resolveNewSecret,
  storeOptionRules,
  tellSharedEnded,
  UNRECORDED,
  versionExists,
} from './changes.js'
import type { HmacSecretStore, HmacSecretVersion, NewHmacSecret } from './port.js'

/** Options of {@link memorySecrets}. */
export interface MemorySecretsOptions {
  readonly clock?: Clock | undefined
  /** Where changes are reported. Default: the process-wide emitter. */
  readonly audit?: Audit | undefined
}

/**
 * A store that answers without a promise, and knows its callers. Only `insert`, `rotate`,
 * `acceptShared` and `forget` make one, where a required audit sink does.
 */
export interface MemorySecretStore extends HmacSecretStore {
  knows(caller: string): boolean
  versions(caller: string): readonly HmacSecretVersion[]
  retire(caller: string, version: number, expiresAt: number): boolean
  revoke(caller: string, version: number): boolean
  list(caller?: string): readonly HmacSecretVersion[]
}

/**
 * Secrets in this process's memory; answers without a promise, and a revocation takes effect immediately.
 *
 * @throws {OptionError} for a wrong entry, a secret shorter than 32 bytes, or a version given twice.
 * @example
 * memorySecrets([{ caller: 'scheduler', version: 3, secret: process.env.SCHEDULER_HMAC_SECRET }])
 */
export function memorySecrets(
  secrets: readonly (Omit<NewHmacSecret, 'secret'> & { readonly secret: string | Uint8Array | undefined })[],
  options: MemorySecretsOptions = {},
): MemorySecretStore {
  if (!Array.isArray(secrets)) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'secrets', 'memorySecrets: "secrets" must be a list')
  }
  const { clock, audit } = resolveOptions('memorySecrets', options, storeOptionRules)
  /** By caller, newest first. */
  const versions = new Map<string, readonly HmacSecretVersion[]>()
  const ofCaller = (caller: string) => versions.get(caller) ?? []

  function keep(caller: string, list: readonly HmacSecretVersion[]): void {
    const sorted = list.toSorted((a, b) => b.version - a.version)
    if (sorted.length === 0) versions.delete(caller)
    else versions.set(caller, sorted)
  }

  function setShared(caller: string, acceptsShared: boolean): void {
    keep(
      caller,
      ofCaller(caller).map((entry) => ({ ...entry, acceptsShared })),
    )
  }

  function add(secret: unknown, path = ''): HmacSecretVersion {
    const now = clock.now()
    const {
      secret: bytes,
      notBefore = now,
      expiresAt,
      acceptsShared,
      ...rest
    } = resolveNewSecret('memorySecrets', secret, path)
    const { caller, version } = rest
    const key = secretKey('memorySecrets', `${path}secret`, bytes)
    const list = ofCaller(caller)
    if (list.some((entry) => entry.version === version)) throw versionExists(caller, version)
    const shared = acceptsShared ? { acceptsShared } : {}
    const entry = { ...rest, ...shared, key, notBefore, createdAt: now, expiresAt, revokedAt: undefined }
    keep(caller, [...list, entry])
    return entry
  }

  function change(caller: string, version: number, part: Partial<HmacSecretVersion>): boolean {
    const list = ofCaller(caller)
    if (!list.some((entry) => entry.version === version)) return false
    versions.set(
      caller,
      list.map((entry) => (entry.version === version ? { ...entry, ...part } : entry)),
    )
    return true
  }

  function revoke(caller: string, version: number): boolean {
    const { revokedAt } = ofCaller(caller).find((entry) => entry.version === version) ?? {}
    return change(caller, version, { revokedAt: revokedAt ?? clock.now() })
  }

  /** What ends sooner keeps its end. Returns the end that stands. */
  function endBy(entry: HmacSecretVersion, moment: number): number {
    const expiresAt = Math.min(entry.expiresAt ?? Number.POSITIVE_INFINITY, moment)
    change(entry.caller, entry.version, { expiresAt })
    return expiresAt
  }

  function endPrevious(caller: string, version: number, moment: number): void {
    for (const entry of ofCaller(caller)) if (entry.version < version) endBy(entry, moment)
  }

  /** Revoked, not deleted: a version is never replaced. */
  function undoAdded(caller: string, version: number): void {
    if (revoke(caller, version)) reportChange(audit, 'revoked', caller, version, UNRECORDED)
  }

  function undoPutInForce(caller: string, version: number): void {
    change(caller, version, { isPending: true })
    reportChange(audit, 'rotated', caller, version, { pending: true, ...UNRECORDED })
  }

  secrets.forEach((secret, index) => {
    add(secret, `[${index}].`)
  })

  return {
    knows: (caller) => versions.has(caller),
    versions: ofCaller,
    insert(secret) {
      const { caller, version } = add(secret)
      const undo = () => undoAdded(caller, version)
      return grantChange(audit, 'added', caller, version, undo, addedAttributes(secret))
    },
    retire(caller, version, expiresAt) {
      assertMoment('retire', expiresAt)
      const entry = ofCaller(caller).find((one) => one.version === version)
      if (entry === undefined) return false
      const end = new Date(endBy(entry, expiresAt)).toISOString()
      reportChange(audit, 'retired', caller, version, { expires_at: end })
      return true
    },
    revoke(caller, version) {
      const isKnown = revoke(caller, version)
      if (isKnown) reportChange(audit, 'revoked', caller, version)
      return isKnown
    },
    rotate(caller, rotation = {}) {
      const [newest] = ofCaller(caller)
      const now = clock.now()
      const { version, secret, made, graceSeconds, pending } = planRotation('rotate', rotation, newest, now)
      if (secret === undefined) change(caller, version, { isPending: false })
      else add({ caller, version, secret, isPending: pending })
      const undo = () => (secret === undefined ? undoPutInForce(caller, version) : undoAdded(caller, version))
      const recorded = grantChange(audit, 'rotated', caller, version, undo, { pending })
      return andThen(recorded, () => {
        if (!pending) endPrevious(caller, version, now + graceSeconds * 1000)
        return { caller, version, secret: made }
      })
    },
    acceptShared(caller, isAccepted) {
      if (!versions.has(caller)) return false
      const wasAccepted = ofCaller(caller).some((entry) => entry.acceptsShared)
      setShared(caller, isAccepted)
      if (!isAccepted) {
        tellSharedEnded(audit, caller)
        return true
      }
      // Another call may have made it so, and wait for its record still: each is recorded, and the first one alone is undone.
      const undo = () => (wasAccepted ? undefined : setShared(caller, false))
      return andThen(recordShared(audit, caller, undo), () => true)
    },
    forget(caller, version) {
      const before = ofCaller(caller)
      const forgotten = before.filter((entry) => version === undefined || entry.version === version)
      if (forgotten.length === 0) return []
      keep(
        caller,
        before.filter((entry) => !forgotten.includes(entry)),
      )
      const numbers = forgotten.map((entry) => entry.version).reverse()
      const undo = () => keep(caller, [...ofCaller(caller), ...forgotten])
      return andThen(recordForgotten(audit, caller, numbers, undo), () => numbers)
    },
    list: (caller) => (caller === undefined ? [...versions.keys()].sort() : [caller]).flatMap(ofCaller),
  }
}
