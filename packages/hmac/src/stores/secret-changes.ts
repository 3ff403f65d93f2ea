import type { Audit } from '@countersign/core'
import type { AuditAttributes } from '@countersign/core/gate-kit'
import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { CALLER_PATTERN, MAX_VERSION, SHARED_CALLER } from '../formats/grammar.js'
import { type HmacSecretVersion, hasEnded, type RotateOptions } from './store.js'

/** The last moment that a `Date` can hold, in ms since the epoch. */
const MAX_MOMENT = 8_640_000_000_000_000
const TEN_YEARS_SECONDS = 315_360_000

const secretBytes = option
  .custom<string | Uint8Array>('a secret', (value) =>
    typeof value === 'string' || value instanceof Uint8Array ? value : undefined,
  )
  .secret()

/** What a version must be, for every adapter. */
export const newSecretRules = {
  caller: option
    .custom<string>(`a name of a-z 0-9 . _ - that starts with a letter or digit, or "${SHARED_CALLER}"`, (value) =>
      typeof value === 'string' && (CALLER_PATTERN.test(value) || value === SHARED_CALLER) ? value : undefined,
    )
    .required(),
  version: option.integer(1, MAX_VERSION).required(),
  secret: secretBytes.required(),
  notBefore: option.integer(0, MAX_MOMENT),
  expiresAt: option.integer(0, MAX_MOMENT),
  isPending: option.boolean().default(false),
}

const rotateRules = {
  secret: secretBytes,
  graceSeconds: option.integer(0, TEN_YEARS_SECONDS).default(86_400),
  pending: option.boolean().default(false),
}

/**
 * The options of a rotation. `isPutInForce`: the newest version is pending and this rotation is what it waits for; it
 * has its secret. One that has ended meanwhile waits for nothing: in force, it would leave none when the others expire.
 *
 * @throws {OptionError}
 */
export function resolveRotation(
  owner: string,
  options: RotateOptions,
  newest: HmacSecretVersion | undefined,
  now: number,
) {
  const resolved = resolveOptions(owner, options, rotateRules)
  const isPutInForce = newest?.isPending === true && !hasEnded(newest, now) && !resolved.pending
  if (isPutInForce && resolved.secret !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'secret',
      `${owner}: option "secret" must be left out: the pending version has its secret, and is put in force`,
    )
  }
  return { ...resolved, isPutInForce }
}

/** @throws {OptionError} for what is no moment in ms since the epoch. */
export function assertMoment(owner: string, expiresAt: number): void {
  resolveOptions(owner, { expiresAt }, { expiresAt: newSecretRules.expiresAt.required() })
}

/** The coded error of a version that is there already. */
export function versionExists(caller: string, version: number): Error {
  return Object.assign(new Error(`version ${version} of "${caller}" exists: a version is never replaced`), {
    code: 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS',
  })
}

/** Reports one change of one version. */
export function tellChange(
  audit: Audit,
  change: 'added' | 'rotated' | 'retired' | 'revoked',
  caller: string,
  version: number,
  attributes?: AuditAttributes,
): void {
  void audit.emit({
    type: `hmac.secret.${change}`,
    gate: 'hmac',
    principal: { kind: 'hmac', id: caller },
    credential: { id: `${caller}/${version}`, version },
    ...(attributes === undefined ? {} : { attributes }),
  })
}
