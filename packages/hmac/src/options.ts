import { type Clock, type GateOptions, OptionError, type ReplayStore } from '@countersign/core'
import { type BodyMode, DEFAULT_MAX_BODY_BYTES } from '@countersign/core/body'
import {
  gateOptionRules,
  isAsyncFunction,
  type OptionAliases,
  option,
  resolveOptions,
  type UsageStore,
} from '@countersign/core/gate-kit'
import type { SignatureFormat, SignedTarget } from './formats/format.js'
import { AUDIENCE_PATTERN, CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'
import { rfc9421 } from './formats/rfc9421.js'
import { resolveTarget, type TargetOptions, targetRules } from './formats/signed-target.js'
import { type Enforce, type LegacyKeys, type LegacyOptions, resolveLegacyKeys } from './legacy.js'
import type { HmacDependency, HmacReason } from './reasons.js'
import { isKnownCaller } from './store/find-keys.js'
import type { HmacSecretStore } from './store/port.js'

/** Options of {@link requireHmac}. */
export interface RequireHmacOptions extends GateOptions<HmacReason, HmacDependency>, TargetOptions {
  /** Where the callers' secrets are kept. */
  readonly secrets: HmacSecretStore
  /** This service's own name in signatures: a host, or a list of them. The `Host` header is never believed. */
  readonly audience?: string | readonly string[] | undefined
  /** The wire formats that are accepted. Default: `[rfc9421()]`. */
  readonly formats?: readonly SignatureFormat[] | undefined
  /** The closed list of callers. Default: those that the store names; required for a store that cannot. */
  readonly callers?: readonly string[] | undefined
  /**
   * Where used signatures are remembered. Default: this process's memory; give `redisReplay(redis)` to more than one. A
   * store that has not answered after 5 s is unavailable, whatever deadline of its own it has.
   */
  readonly replay?: ReplayStore | undefined
  /** `'buffer'` (default) reads the stream and feeds it back; `'rawBody'` takes the bytes that the platform kept. */
  readonly body?: BodyMode | undefined
  /** Default 4 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** The old shared key that signatures replace, accepted where no signature is presented. */
  readonly legacy?: LegacyOptions | undefined
  /** Refuses the old key: for all, or caller by caller. A function that throws counts as true. Default false. */
  readonly enforce?: Enforce | undefined
  /**
   * Where it is kept who still uses the old key, for all processes and beyond a restart: `redisUsage(redis)`,
   * `postgresUsage(pool)`. Default: in this process. No request waits for it.
   */
  readonly legacyUsage?: UsageStore | undefined
  /** Verifies and audits the signature while the old key alone decides; needs `legacy`. Default false. */
  readonly reportOnly?: boolean | undefined
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
  ...targetRules,
  replay: option.port<ReplayStore>('a replay store, such as redisReplay(redis)', 'claim'),
  body: option.oneOf('buffer', 'rawBody').default('buffer'),
  maxBodyBytes: option.integer(0, 2 ** 31 - 1).default(DEFAULT_MAX_BODY_BYTES),
  legacy: option
    .custom<LegacyOptions>('an object of headers and keys', (value) =>
      value !== null && typeof value === 'object' ? (value as LegacyOptions) : undefined,
    )
    .secret(),
  enforce: option.custom<Enforce>(
    'true, false, an object of caller: boolean, or a function that is not async',
    (value) => (isEnforce(value) ? value : undefined),
  ),
  legacyUsage: option.port<UsageStore>('a usage store, such as redisUsage(redis)', 'add', 'read'),
  reportOnly: option.boolean().default(false),
}

function isEnforce(value: unknown): value is Enforce {
  if (typeof value === 'boolean') return true
  if (typeof value === 'function') return !isAsyncFunction(value)
  return value !== null && typeof value === 'object' && Object.values(value).every((item) => typeof item === 'boolean')
}

const ALIASES: OptionAliases = {
  secret: 'secrets: memorySecrets([{ caller, version, secret }])',
  key: 'secrets: memorySecrets([{ caller, version, secret }])',
  keys: 'secrets: memorySecrets([{ caller, version, secret }])',
  host: 'audience',
  algorithm: 'formats',
  algorithms: 'formats',
  nonces: 'replay',
  replaystore: 'replay',
  window: 'formats: [rfc9421({ windowBackSeconds })]',
  windowseconds: 'formats: [rfc9421({ windowBackSeconds })]',
  windowbackseconds: 'formats: [rfc9421({ windowBackSeconds })]',
  windowaheadseconds: 'formats: [rfc9421({ windowAheadSeconds })]',
  clocktolerance: 'formats: [rfc9421({ windowAheadSeconds })]',
  maxage: 'formats: [rfc9421({ windowBackSeconds })]',
  tolerance: 'formats: [rfc9421({ windowBackSeconds })]',
  tag: 'formats: [rfc9421({ tag })]',
  prefix: 'formats: [xHeaders({ prefix })]',
  limit: 'maxBodyBytes',
  basepath: 'pathPrefix',
  path: 'target',
  url: 'target',
}

/** The options with their defaults. */
export interface ResolvedHmacOptions {
  readonly secrets: HmacSecretStore
  /** The closed list of callers; undefined when the store names them. */
  readonly callers: ReadonlySet<string> | undefined
  /** In lower case; one that is empty when no format binds it. */
  readonly audiences: readonly string[]
  readonly formats: readonly SignatureFormat[]
  readonly target: SignedTarget
  readonly replay: ReplayStore | undefined
  readonly body: BodyMode
  readonly maxBodyBytes: number
  readonly legacy: LegacyKeys
  readonly enforce: Enforce | undefined
  readonly legacyUsage: UsageStore | undefined
  readonly reportOnly: boolean
  readonly clock: Clock
  readonly gateOptions: GateOptions<HmacReason, HmacDependency>
}

const NO_KEYS: LegacyKeys = { headers: [], candidates: [] }

/**
 * Validates the options of `owner`.
 *
 * @throws {OptionError}
 */
export function resolveHmacOptions(owner: string, options: RequireHmacOptions): ResolvedHmacOptions {
  const { onDenied, audit, route, clock, ...resolved } = resolveOptions(owner, options, rules, '', ALIASES)
  const { secrets, formats = [rfc9421()], reportOnly, enforce } = resolved
  const legacy = resolved.legacy === undefined ? NO_KEYS : resolveLegacyKeys(owner, resolved.legacy)
  if (reportOnly && resolved.legacy === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'reportOnly',
      `${owner}: option "reportOnly" needs option "legacy": without the old key it would grant every request`,
    )
  }
  const reads = [...formats.flatMap((format) => format.reads), ...legacy.headers]
  if (new Set(reads).size !== reads.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'formats',
      `${owner}: two of "formats", or one and "legacy", read the same header field`,
    )
  }
  if (resolved.audience === undefined && formats.some((format) => format.bindsAudience)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'audience',
      `${owner}: option "audience" is required: set it to the host that callers reach this service by`,
    )
  }
  const callers = resolved.callers === undefined ? undefined : new Set(resolved.callers)
  if (callers === undefined && (secrets.knows === undefined || secrets.knows(SHARED_CALLER))) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'callers',
      `${owner}: option "callers" is required with this secret store: set it to the list of callers`,
    )
  }
  const hasKey = (name: string) => legacy.candidates.some(({ caller }) => caller === name)
  assertEnforcedNames(owner, enforce, (name) => isKnownCaller(name, callers, secrets) || hasKey(name))
  return {
    secrets,
    callers,
    audiences: resolved.audience ?? [''],
    formats,
    target: resolveTarget(owner, resolved),
    replay: resolved.replay,
    body: resolved.body,
    maxBodyBytes: resolved.maxBodyBytes,
    legacy,
    enforce,
    legacyUsage: resolved.legacyUsage,
    reportOnly,
    clock,
    gateOptions: { onDenied, audit, route, clock },
  }
}

/** A misspelt name would leave the old key of the intended caller valid. */
function assertEnforcedNames(owner: string, enforce: Enforce | undefined, isKnown: (name: string) => boolean): void {
  for (const name of typeof enforce === 'object' ? Object.keys(enforce) : []) {
    if (isKnown(name)) continue
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      `enforce.${name}`,
      `${owner}: option "enforce" names "${name.slice(0, 64)}", which is neither a caller nor has a legacy key`,
    )
  }
}
