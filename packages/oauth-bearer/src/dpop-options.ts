import { OptionError, type ReplayStore } from '@countersign/core'
import { option, type RuleBuilder, resolveOptions } from '@countersign/core/gate-kit'
import { ASYMMETRIC_ALGORITHMS } from './keys/algorithms.js'
import { isJsonObject } from './strict-encoding.js'

/** `'accepted'`: tokens that are bound to a key, and bearer tokens. `'required'`: tokens that are bound to a key alone. */
export type DpopMode = 'accepted' | 'required'

/** How proofs of possession (DPoP, RFC 9449) are checked. */
export interface DpopOptions {
  /** Default `'accepted'`. */
  readonly mode?: DpopMode | undefined
  /** The signature algorithms of proofs. Default ES256, EdDSA, Ed25519, PS256, RS256. */
  readonly algorithms?: readonly string[] | undefined
  /** How old a proof may be, and how far ahead of this machine's clock. Default 300. */
  readonly windowSeconds?: number | undefined
  /** Where it is kept which proofs were used: one place for all processes. Default: in this process alone. */
  readonly replay?: ReplayStore | undefined
  /**
   * Proofs must have a nonce of this server, which then says how old they are, in place of the client's clock. `secret`: 32
   * bytes or more, the same in all processes. `lifetimeSeconds`: for how long a nonce is accepted, default 300.
   */
  readonly nonce?: { readonly secret: string | Uint8Array; readonly lifetimeSeconds?: number | undefined } | undefined
  /** What a proxy removes from the beginning of the path, such as `/api`: proofs name the path that the client asked for. */
  readonly strippedPrefix?: string | undefined
}

/** The options with their defaults. */
export interface CheckedDpopOptions {
  readonly mode: DpopMode
  readonly algorithms: readonly string[]
  readonly windowMs: number
  readonly replay: ReplayStore | undefined
  readonly nonce: { readonly secret: Uint8Array; readonly lifetimeMs: number } | undefined
  readonly strippedPrefix: string
}

const MODES: readonly unknown[] = ['accepted', 'required']
const DEFAULT_ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])

const rules = {
  mode: option.oneOf('accepted', 'required').default('accepted'),
  algorithms: option
    .custom<readonly string[]>(`a list of ${ASYMMETRIC_ALGORITHMS.join(', ')}`, (value) =>
      Array.isArray(value) && value.length > 0 && value.every((name) => ASYMMETRIC_ALGORITHMS.includes(name))
        ? Object.freeze([...value])
        : undefined,
    )
    .default(DEFAULT_ALGORITHMS),
  windowSeconds: option.seconds(1, 3600).default(300),
  replay: option.port<ReplayStore>('a replay store, such as redisReplay(redis)', 'claim'),
  nonce: option.custom<object>('an object of secret and lifetimeSeconds', (value) =>
    isJsonObject(value) ? value : undefined,
  ),
  strippedPrefix: option.string(/^(?:\/[A-Za-z0-9\-._~]+)+$/, 'a path such as /api, without a slash at its end'),
}

const nonceRules = {
  secret: option
    .custom<Uint8Array>('a secret of 32 bytes or more', (value) => {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      return bytes instanceof Uint8Array && bytes.length >= 32 ? bytes : undefined
    })
    .secret()
    .required(),
  lifetimeSeconds: option.seconds(10, 3600).default(300),
}

/** The rule of an issuer's `dpop`. */
export function dpopModeRule(): RuleBuilder<DpopMode | false> {
  return option.custom<DpopMode | false>("false, 'accepted' or 'required'", (value) =>
    value === false || MODES.includes(value) ? (value as DpopMode | false) : undefined,
  )
}

/** The rule of the gate's `dpop`. */
export function dpopRule(): RuleBuilder<DpopMode | false | DpopOptions> {
  return option.custom<DpopMode | false | DpopOptions>("false, 'accepted', 'required' or an object", (value) =>
    value === false || MODES.includes(value) || isJsonObject(value) ? (value as DpopMode) : undefined,
  )
}

/**
 * The gate's `dpop` with its defaults; undefined where it is off.
 *
 * @throws {OptionError}
 */
export function checkDpopOptions(dpop: DpopMode | false | DpopOptions | undefined): CheckedDpopOptions | undefined {
  if (dpop === undefined || dpop === false) return undefined
  const given = typeof dpop === 'string' ? { mode: dpop } : dpop
  const { windowSeconds, nonce, strippedPrefix = '', ...rest } = resolveOptions(OWNER, given, rules, 'dpop.')
  const { secret, lifetimeSeconds } =
    nonce === undefined
      ? { secret: undefined, lifetimeSeconds: 0 }
      : resolveOptions(OWNER, nonce, nonceRules, 'dpop.nonce.')
  return {
    ...rest,
    windowMs: windowSeconds * 1000,
    nonce: secret && { secret, lifetimeMs: lifetimeSeconds * 1000 },
    strippedPrefix,
  }
}

const OWNER = 'requireOAuthBearer'

/**
 * Refuses an issuer, or a route, that wants proofs of a gate that checks none: the gate's option says how.
 *
 * @throws {OptionError}
 */
export function assertDpopIsOn(name: string, gate: CheckedDpopOptions | DpopMode | undefined): void {
  if (gate !== undefined) return
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    name,
    `${OWNER}: "${name}" needs the gate's option "dpop": set it to 'accepted', or to the options of proofs`,
  )
}
