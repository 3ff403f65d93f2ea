import { randomBytes } from 'node:crypto'
import { type Audit, audit as defaultAudit } from '@countersign/audit'
import { type Clock, OptionError, option, resolveOptions, systemClock } from '@countersign/core'
import { CALLER_PATTERN, MAX_VERSION, SHARED_CALLER } from '../formats/grammar.js'
import { secretKey } from '../secret-key.js'
import { type HmacSecretStore, type HmacSecretVersion, isActive, type NewHmacSecret } from './store.js'

export interface MemorySecretsOptions {
  readonly clock?: Clock
  /** Where changes are reported. Default: the process-wide emitter. */
  readonly audit?: Audit
}

const secretRules = {
  caller: option
    .custom<string>(`a name of a-z 0-9 . _ - that starts with a letter or digit, or "${SHARED_CALLER}"`, (value) =>
      typeof value === 'string' && (CALLER_PATTERN.test(value) || value === SHARED_CALLER) ? value : undefined,
    )
    .required(),
  version: option.integer(1, MAX_VERSION).required(),
  secret: option
    .custom<string | Uint8Array>('a secret', (value) =>
      typeof value === 'string' || value instanceof Uint8Array ? value : undefined,
    )
    .secret()
    .required(),
  notBefore: option.integer(0, Number.MAX_SAFE_INTEGER),
  expiresAt: option.integer(0, Number.MAX_SAFE_INTEGER),
  isPending: option.boolean().default(false),
}

/** The coded error of a version that is there already. */
export function versionExists(caller: string, version: number): Error {
  return Object.assign(new Error(`version ${version} of "${caller}" exists: a version is never replaced`), {
    code: 'ERR_HMAC_VERSION_EXISTS',
  })
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
    throw new OptionError('ERR_OPTION_INVALID', 'secrets', 'memorySecrets: "secrets" must be a list')
  }
  const { clock = systemClock, audit = defaultAudit } = options
  /** By caller, newest first. */
  const versions = new Map<string, HmacSecretVersion[]>()
  const ofCaller = (caller: string): readonly HmacSecretVersion[] => versions.get(caller) ?? []

  function add(secret: unknown, path: string): HmacSecretVersion {
    const { secret: text, ...rest } = resolveOptions('memorySecrets', secret, secretRules, path)
    const now = clock.now()
    const { caller, version, notBefore = now, expiresAt, isPending } = rest
    const key = secretKey('memorySecrets', `${path}secret`, text)
    const list = versions.get(caller) ?? []
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

  function tell(
    type: 'hmac.secret.added' | 'hmac.secret.rotated' | 'hmac.secret.revoked',
    id: string,
    version: number,
  ) {
    void audit.emit({
      type,
      gate: 'hmac',
      principal: { kind: 'hmac', id },
      credential: { id: `${id}/${version}`, version },
    })
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
      tell('hmac.secret.added', caller, version)
    },
    retire: (caller, version, expiresAt) => change(caller, version, { expiresAt }),
    revoke(caller, version) {
      const isKnown = change(caller, version, { revokedAt: clock.now() })
      if (isKnown) tell('hmac.secret.revoked', caller, version)
      return isKnown
    },
    rotate(caller, { secret, graceSeconds = 86_400, pending = false } = {}) {
      const [newest] = ofCaller(caller)
      const made = secret === undefined ? randomBytes(48).toString('base64') : undefined
      const isPutInForce = newest?.isPending === true && !pending
      const version = isPutInForce ? newest.version : (newest?.version ?? 0) + 1
      if (isPutInForce) change(caller, version, { isPending: false })
      else add({ caller, version, secret: secret ?? made, isPending: pending }, '')
      const end = clock.now() + graceSeconds * 1000
      for (const entry of pending ? [] : ofCaller(caller)) {
        if (entry.version !== version && entry.version < version && (entry.expiresAt ?? Number.POSITIVE_INFINITY) > end)
          change(caller, entry.version, { expiresAt: end })
      }
      tell('hmac.secret.rotated', caller, version)
      return { caller, version, secret: isPutInForce ? undefined : made }
    },
    list: (caller) => [...versions.values()].flat().filter((entry) => caller === undefined || entry.caller === caller),
  }
}
