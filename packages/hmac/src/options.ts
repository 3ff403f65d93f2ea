import { OptionError, memoryReplay, type GateOptions, type ReplayStore } from '@countersign/core'
import { gateOptionRules, option, resolveOptions } from '@countersign/core/gate-kit'
import { defaultFormat } from './formats/default-format.js'
import type { SignatureFormat } from './formats/format.js'
import { CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'
import { createLegacy, type Enforce, type LegacyOptions } from './legacy.js'
import type { HmacDependency, HmacReason } from './reasons.js'
import type { HmacSecretStore } from './stores/store.js'

/** A host, with its port when that is not the scheme's own. */
export const AUDIENCE_PATTERN = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9]\d{0,4})?$/

export interface RequireHmacOptions extends GateOptions<HmacReason, HmacDependency> {
  /** Where the callers' secrets are kept. */
  readonly secrets: HmacSecretStore
  /** This service's own name in signatures: a host, or a list of them. The `Host` header is never believed. */
  readonly audience?: string | readonly string[]
  /** The wire formats that are accepted. Default: `[rfc9421()]`. */
  readonly formats?: readonly SignatureFormat[]
  /** The closed list of callers. Default: those that the store names; required for a store that cannot. */
  readonly callers?: readonly string[]
  /**
   * Where used signatures are remembered. Default: this process's memory; give `redisReplay(redis)` to more than one. A
   * store that has not answered after 5 s is unavailable, whatever deadline of its own it has.
   */
  readonly replay?: ReplayStore
  /** `'buffer'` (default) reads the stream and feeds it back; `'rawBody'` takes the bytes that the platform kept. */
  readonly body?: 'buffer' | 'rawBody'
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** The old shared key that signatures replace, accepted where no signature is presented. */
  readonly legacy?: LegacyOptions
  /** Refuses the old key: for all, or caller by caller. A function that throws counts as true. Default false. */
  readonly enforce?: Enforce
  /** `'report'` verifies and audits the signature while the old key alone decides; needs `legacy`. Default `'enforce'`. */
  readonly mode?: 'enforce' | 'report'
}

const rules = {
  ...gateOptionRules,
  secrets: option.port<HmacSecretStore>('a secret store, such as memorySecrets([…])', 'versions').secret().required(),
  audience: option.custom<readonly string[]>('a host, such as "billing.example.com", or a list of hosts', (value) => {
    const hosts: readonly unknown[] = Array.isArray(value) ? value : [value]
    const isValid = hosts.length > 0 && hosts.every((host) => typeof host === 'string' && AUDIENCE_PATTERN.test(host))
    return isValid ? Object.freeze(hosts.map((host) => (host as string).toLowerCase())) : undefined
  }),
  formats: option.custom<readonly SignatureFormat[]>('a list of rfc9421() and xHeaders()', (value) =>
    Array.isArray(value) && value.length > 0 && value.every((format) => typeof format?.parse === 'function')
      ? Object.freeze([...value])
      : undefined,
  ),
  callers: option.strings(CALLER_PATTERN, 'a list of names of a-z 0-9 . _ - that start with a letter or digit'),
  replay: option.port<ReplayStore>('a replay store, such as redisReplay(redis)', 'claim'),
  body: option.oneOf('buffer', 'rawBody').default('buffer'),
  maxBodyBytes: option.integer(0, 2 ** 31 - 1).default(1024 * 1024),
  legacy: option
    .custom<LegacyOptions>('an object of headers and keys', (value) =>
      value !== null && typeof value === 'object' ? (value as LegacyOptions) : undefined,
    )
    .secret(),
  enforce: option.custom<Enforce>('true, false, an object of caller: boolean, or a function', (value) =>
    isEnforce(value) ? value : undefined,
  ),
  mode: option.oneOf('enforce', 'report').default('enforce'),
}

function isEnforce(value: unknown): value is Enforce {
  if (typeof value === 'boolean' || typeof value === 'function') return true
  return value !== null && typeof value === 'object' && Object.values(value).every((item) => typeof item === 'boolean')
}

/** The options with their defaults. */
export type ResolvedHmacOptions = ReturnType<typeof resolveHmacOptions>

/** @throws {OptionError} */
export function resolveHmacOptions(options: RequireHmacOptions) {
  const resolved = resolveOptions('requireHmac', options, rules)
  const { secrets, clock, formats = [defaultFormat()], callers, replay = memoryReplay({ clock }) } = resolved
  const legacy =
    resolved.legacy === undefined ? undefined : createLegacy(resolved.legacy, resolved.enforce, () => clock.now())
  if (resolved.mode === 'report' && legacy === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'mode',
      `requireHmac: mode 'report' needs option "legacy": without the old key it would let everyone in`,
    )
  }
  const reads = [...formats.flatMap((format) => format.reads), ...(legacy?.reads ?? [])]
  if (new Set(reads).size !== reads.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'formats',
      'requireHmac: two of "formats", or one and "legacy", read the same header field',
    )
  }
  if (resolved.audience === undefined && formats.some((format) => format.bindsAudience)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'audience',
      'requireHmac: option "audience" is required: set it to the host that callers reach this service by',
    )
  }
  const names = callers === undefined ? undefined : new Set(callers)
  if (names === undefined && (secrets.knows === undefined || secrets.knows(SHARED_CALLER))) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'callers',
      'requireHmac: option "callers" is required with this secret store: set it to the list of callers',
    )
  }
  const isCaller = (caller: string): boolean =>
    names === undefined ? secrets.knows?.(caller) === true : names.has(caller)
  assertEnforcedNames(resolved.enforce, (name) => isCaller(name) || legacy?.callers.includes(name) === true)
  return { ...resolved, formats, legacy, reads, replay, audiences: resolved.audience ?? [''], isCaller }
}

/** A misspelt name would leave the old key of the caller that was meant in force. */
function assertEnforcedNames(enforce: Enforce | undefined, isKnown: (name: string) => boolean): void {
  for (const name of typeof enforce === 'object' ? Object.keys(enforce) : []) {
    if (isKnown(name)) continue
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      `enforce.${name}`,
      `requireHmac: option "enforce" names "${name.slice(0, 64)}", which is neither a caller nor has a legacy key`,
    )
  }
}
