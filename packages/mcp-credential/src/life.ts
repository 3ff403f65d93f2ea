import { OptionError } from '@countersign/core'
import { option } from '@countersign/core/gate-kit'
import type { CredentialLife } from './stores/store.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const MOST_MS = 3650 * DAY_MS

/** How long credentials live. */
export interface LifeOptions {
  /** Milliseconds without a sign of life after which a credential is refused. Default 30 min. */
  readonly idleTimeoutMs?: number
  /** Milliseconds that a credential lives after its last sign of life, whatever else is set. Default 30 d. */
  readonly maximumLifetimeMs?: number
  /** Milliseconds after its issue from which no sign of life keeps a credential. Default: none. */
  readonly absoluteLifetimeMs?: number
  /** What counts as a sign of life: a call with the credential, the host's `touch`, or both (default). */
  readonly slideOn?: 'use' | 'touch' | 'both'
}

export const lifeRules = {
  idleTimeoutMs: option.integer(1, MOST_MS).default(30 * MINUTE_MS),
  maximumLifetimeMs: option.integer(1, MOST_MS).default(30 * DAY_MS),
  absoluteLifetimeMs: option.integer(1, MOST_MS),
  slideOn: option.oneOf('use', 'touch', 'both').default('both'),
}

/** @throws {OptionError} when a lifetime is shorter than the idle timeout: it could never be reached. */
export function resolveLife(
  owner: string,
  options: Required<Omit<LifeOptions, 'absoluteLifetimeMs'>> & { readonly absoluteLifetimeMs: number | undefined },
  revivesIdle: boolean,
): CredentialLife {
  const { idleTimeoutMs, maximumLifetimeMs, absoluteLifetimeMs, slideOn } = options
  if (idleTimeoutMs > maximumLifetimeMs) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'idleTimeoutMs',
      `${owner}: option "idleTimeoutMs" must be at most "maximumLifetimeMs", got ${idleTimeoutMs} over ${maximumLifetimeMs}`,
    )
  }
  return Object.freeze({
    idleTimeoutMs,
    coalesceMs: Math.min(MINUTE_MS, Math.floor(idleTimeoutMs / 10)),
    maximumLifetimeMs,
    absoluteLifetimeMs,
    retentionMs: revivesIdle ? DAY_MS : HOUR_MS,
    revivesIdle,
    slidesOnUse: slideOn !== 'touch',
    slidesOnTouch: slideOn !== 'use',
  })
}
