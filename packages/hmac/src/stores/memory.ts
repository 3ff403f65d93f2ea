import { randomBytes } from 'node:crypto'
import { audit as defaultAudit, type Audit } from '@countersign/core'
import { OptionError, type Clock } from '@countersign/core'
import { option, resolveOptions, systemClock } from '@countersign/core/gate-kit'
import { secretKey } from '../secret-key.js'
import { assertMoment, newSecretRules, resolveRotation, tellChange, versionExists } from './secret-changes.js'
import { type HmacSecretStore, type HmacSecretVersion, isActive, type NewHmacSecret } from './store.js'

export interface MemorySecretsOptions {
  readonly clock?: Clock
  /** Where changes are reported. Default: the process-wide emitter. */
  readonly audit?: Audit
}

/** The rules of {@link MemorySecretsOptions}. */
export const memorySecretsRules = {
  clock: option.port<Clock>('a Clock', 'now', 'monotonic').default(systemClock),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
}

/**
 * Secrets in this process's memory; answers without a promise, and a revocation counts at once.
 *
 * @throws {OptionError} for a wrong entry, a secret shorter than 32 bytes, or a version given twice.
 * @example
 * memorySecrets([{ caller: 'scheduler', version: 3, secret: process.env.SCHEDULER_HMAC_SECRET }])
 */
export function memorySecrets(
  secrets: readonly (Omit<NewHmacSecret, 'secret'> & { readonly secret: string | Uint8Array | undefined })[],
  options: MemorySecretsOptions = {},
): Required<Pick<HmacSecretStore, 'knows'>> & HmacSecretStore {
  if (!Array.isArray(secrets)) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'secrets', 'memorySecrets: "secrets" must be a list')
  }
  const { clock, audit } = resolveOptions('memorySecrets', options, memorySecretsRules)
  /** By caller, newest first. */
  const versions = new Map<string, HmacSecretVersion[]>()
  const ofCaller = (caller: string): readonly HmacSecretVersion[] => versions.get(caller) ?? []

  function add(secret: unknown, path: string): HmacSecretVersion {
    const { secret: text, ...rest } = resolveOptions('memorySecrets', secret, newSecretRules, path)
    const now = clock.now()
    const { caller, version, notBefore = now, expiresAt, isPending } = rest
    const key = secretKey('memorySecrets', `${path}secret`, text)
    const list = ofCaller(caller)
    if (list.some((entry) => entry.version === version)) throw versionExists(caller, version)
    const entry = { caller, version, key, notBefore, createdAt: now, expiresAt, revokedAt: undefined, isPending }
    versions.set(
      caller,
      [...list, entry].sort((a, b) => b.version - a.version),
    )
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

  secrets.forEach((secret, index) => {
    add(secret, `[${index}].`)
  })

  return {
    knows: (caller) => versions.has(caller),
    get: (caller, version) => ofCaller(caller).find((entry) => entry.version === version),
    versions: ofCaller,
    active: (caller) => ofCaller(caller).filter((entry) => isActive(entry, clock.now())),
    insert(secret) {
      const { caller, version } = add(secret, '')
      tellChange(audit, 'added', caller, version)
    },
    retire(caller, version, expiresAt) {
      assertMoment('retire', expiresAt)
      const isKnown = change(caller, version, { expiresAt })
      if (isKnown) tellChange(audit, 'retired', caller, version, { expires_at: new Date(expiresAt).toISOString() })
      return isKnown
    },
    revoke(caller, version) {
      const { revokedAt } = ofCaller(caller).find((entry) => entry.version === version) ?? {}
      const isKnown = change(caller, version, { revokedAt: revokedAt ?? clock.now() })
      if (isKnown) tellChange(audit, 'revoked', caller, version)
      return isKnown
    },
    rotate(caller, options = {}) {
      const [newest] = ofCaller(caller)
      const { secret, graceSeconds, pending, isPutInForce } = resolveRotation('rotate', options, newest, clock.now())
      const made = secret === undefined && !isPutInForce ? randomBytes(48).toString('base64') : undefined
      const version = isPutInForce && newest !== undefined ? newest.version : (newest?.version ?? 0) + 1
      if (isPutInForce) change(caller, version, { isPending: false })
      else add({ caller, version, secret: secret ?? made, isPending: pending }, '')
      const end = clock.now() + graceSeconds * 1000
      for (const entry of pending ? [] : ofCaller(caller)) {
        if (entry.version < version && (entry.expiresAt ?? Number.POSITIVE_INFINITY) > end)
          change(caller, entry.version, { expiresAt: end })
      }
      tellChange(audit, 'rotated', caller, version, { pending })
      return { caller, version, secret: made }
    },
    list: (caller) =>
      [...versions.values()]
        .flat()
        .filter((entry) => caller === undefined || entry.caller === caller)
        .sort((a, b) => (a.caller < b.caller ? -1 : a.caller > b.caller ? 1 : b.version - a.version)),
  }
}
