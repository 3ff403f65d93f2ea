import { OptionError } from '@countersign/core'
import { type OptionRule, option } from '@countersign/core/gate-kit'
import type { CredentialLife } from '../store/port.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const DAY_SECONDS = 86_400
const MAX_SECONDS = 3650 * DAY_SECONDS

/** How long credentials live. */
export interface LifeOptions {
  /** Seconds without a sign of life after which a credential is refused. Default 30 min. */
  readonly idleTimeoutSeconds?: number | undefined
  /** Seconds that a credential lives after its last sign of life, whatever else is set. Default 30 d. */
  readonly maximumLifetimeSeconds?: number | undefined
  /** Seconds after its issue from which no sign of life keeps a credential. Default: none. */
  readonly absoluteLifetimeSeconds?: number | undefined
  /** What counts as a sign of life: a call with the credential, the host's `touch`, or both (default). */
  readonly slideOn?: 'use' | 'touch' | 'both' | undefined
}

/** {@link LifeOptions} with their defaults. */
export interface ResolvedLifeOptions {
  readonly idleTimeoutSeconds: number
  readonly maximumLifetimeSeconds: number
  readonly absoluteLifetimeSeconds: number | undefined
  readonly slideOn: 'use' | 'touch' | 'both'
}

/** The rules of {@link LifeOptions}. */
export const lifeRules: { readonly [K in keyof ResolvedLifeOptions]: OptionRule<ResolvedLifeOptions[K]> } = {
  idleTimeoutSeconds: option.seconds(0.001, MAX_SECONDS).default(30 * 60),
  maximumLifetimeSeconds: option.seconds(0.001, MAX_SECONDS).default(30 * DAY_SECONDS),
  absoluteLifetimeSeconds: option.seconds(0.001, MAX_SECONDS),
  slideOn: option.oneOf('use', 'touch', 'both').default('both'),
}

/**
 * The options as stores take them, in milliseconds.
 *
 * @throws {OptionError} when the idle timeout is longer than the maximum lifetime: it could never be reached.
 */
export function resolveLife(owner: string, options: ResolvedLifeOptions, revivesIdle: boolean): CredentialLife {
  const { idleTimeoutSeconds, maximumLifetimeSeconds, absoluteLifetimeSeconds, slideOn } = options
  if (idleTimeoutSeconds > maximumLifetimeSeconds) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'idleTimeoutSeconds',
      `${owner}: option "idleTimeoutSeconds" must be at most "maximumLifetimeSeconds", got ${idleTimeoutSeconds} over ${maximumLifetimeSeconds}`,
    )
  }
  const idleTimeoutMs = milliseconds(idleTimeoutSeconds)
  return Object.freeze({
    idleTimeoutMs,
    coalesceMs: Math.min(MINUTE_MS, Math.floor(idleTimeoutMs / 10)),
    maximumLifetimeMs: milliseconds(maximumLifetimeSeconds),
    absoluteLifetimeMs: absoluteLifetimeSeconds === undefined ? undefined : milliseconds(absoluteLifetimeSeconds),
    retentionMs: revivesIdle ? DAY_MS : HOUR_MS,
    revivesIdle,
    slidesOnUse: slideOn !== 'touch',
    slidesOnTouch: slideOn !== 'use',
  })
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000)
}
