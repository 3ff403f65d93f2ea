import { randomBytes } from 'node:crypto'
import { type Audit, type Clock, audit as defaultAudit, OptionError } from '@countersign/core'
import {
  type AuditAttributes,
  type AuditEventInput,
  listed,
  type OptionRule,
  option,
  recordGrant,
  resolveOptions,
  systemClock,
  withPage,
} from '@countersign/core/gate-kit'
import { CALLER_PATTERN, MAX_VERSION, SHARED_CALLER } from '../formats/grammar.js'
import { secretRule } from '../secret-key.js'
import { hasEnded } from './find-keys.js'
import type { HmacSecretVersion, NewHmacSecret, RotateOptions } from './port.js'

/** The last moment that a `Date` can hold, in ms since the epoch. */
const MAX_MOMENT = 8_640_000_000_000_000
const TEN_YEARS_SECONDS = 315_360_000

/** The rules of the options that every adapter has: the clock, and where changes are reported. */
export const storeOptionRules: { readonly audit: OptionRule<Audit>; readonly clock: OptionRule<Clock> } = {
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
  clock: option.clock().default(systemClock),
}

const newSecretRules = {
  caller: option
    .custom<string>(`a name of a-z 0-9 . _ - that starts with a letter or digit, or "${SHARED_CALLER}"`, (value) =>
      typeof value === 'string' && (CALLER_PATTERN.test(value) || value === SHARED_CALLER) ? value : undefined,
    )
    .required(),
  version: option.integer(1, MAX_VERSION).required(),
  secret: secretRule().required(),
  notBefore: option.integer(0, MAX_MOMENT),
  expiresAt: option.integer(0, MAX_MOMENT),
  isPending: option.boolean().default(false),
  acceptsShared: option.boolean().default(false),
}

const rotateRules = {
  secret: secretRule(),
  graceSeconds: option.seconds(0, TEN_YEARS_SECONDS).default(86_400),
  pending: option.boolean().default(false),
}

/** A version to be stored, with its defaults. */
export type ResolvedNewSecret = NewHmacSecret & { readonly isPending: boolean; readonly acceptsShared: boolean }

/**
 * Checks a version to be stored. `path` precedes the option's name in an error.
 *
 * @throws {OptionError}
 */
export function resolveNewSecret(owner: string, secret: unknown, path?: string): ResolvedNewSecret {
  return resolveOptions(owner, secret, newSecretRules, path)
}

/** What one rotation does. */
export interface RotationPlan {
  /** The version that the rotation makes or activates. */
  readonly version: number
  /** The secret to store; undefined when the newest version is pending, and this rotation is what it waits for. */
  readonly secret: string | Uint8Array | undefined
  /** The secret to return: one that was made here. */
  readonly made: string | undefined
  /** Seconds that the previous versions stay valid. */
  readonly graceSeconds: number
  /** Whether the new version is pending, so that the previous ones keep their expiry. */
  readonly pending: boolean
}

/**
 * Plans a rotation from the newest version. A pending one that has ended meanwhile is not activated: it would leave
 * none when the others expire.
 *
 * @throws {OptionError}
 */
export function planRotation(
  owner: string,
  options: RotateOptions,
  newest: HmacSecretVersion | undefined,
  now: number,
): RotationPlan {
  const { secret, graceSeconds, pending } = resolveOptions(owner, options, rotateRules)
  if (newest?.isPending === true && !hasEnded(newest, now) && !pending) {
    if (secret === undefined) {
      return { version: newest.version, secret, made: undefined, graceSeconds, pending }
    }
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'secret',
      `${owner}: option "secret" must be omitted: the pending version has its secret, and is activated`,
    )
  }
  const made = secret === undefined ? randomBytes(48).toString('base64') : undefined
  const version = (newest?.version ?? 0) + 1
  return { version, secret: secret ?? made, made, graceSeconds, pending }
}

/**
 * Checks the moment at which a version expires, for secret stores.
 *
 * @throws {OptionError} for what is not a moment in ms since the epoch.
 */
export function assertMoment(owner: string, expiresAt: number): void {
  resolveOptions(owner, { expiresAt }, { expiresAt: newSecretRules.expiresAt.required() })
}

/** An error of a store's changes, with its code and page. */
export function codedError(code: `ERR_COUNTERSIGN_${string}`, message: string): Error {
  return Object.assign(new Error(withPage(message, code)), { code })
}

/** The error of a version that is there already: `ERR_COUNTERSIGN_HMAC_VERSION_EXISTS`. */
export function versionExists(caller: string, version: number): Error {
  return codedError(
    'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS',
    `version ${version} of "${caller}" already exists: a version is never replaced`,
  )
}

/** The error of a rotation that another one overtook: `ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT`. */
export function rotationConflict(caller: string): Error {
  return codedError(
    'ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT',
    `another rotation of "${caller}" was first: this one did nothing`,
  )
}

/** Attributes of a change that undid another one. */
export const UNRECORDED: AuditAttributes = { cause: 'audit_sink' }

/** Reports one change of one version. */
export function reportChange(
  audit: Audit,
  change: 'added' | 'rotated' | 'retired' | 'revoked',
  caller: string,
  version: number,
  attributes?: AuditAttributes,
): void {
  void audit.emit(eventOf(change, caller, version, attributes))
}

/**
 * Records that a version can be used, and calls `undo` when a required sink did not take it: then it throws, or rejects
 * with, an `UnavailableError`.
 */
export function grantChange(
  audit: Audit,
  change: 'added' | 'rotated',
  caller: string,
  version: number,
  undo: () => unknown,
  attributes?: AuditAttributes,
): void | Promise<void> {
  return recordGrant(audit, eventOf(change, caller, version, attributes), undo)
}

/** What the event of a version that was added says beside it. */
export function addedAttributes({ acceptsShared }: NewHmacSecret): AuditAttributes | undefined {
  return acceptsShared ? { accepts_shared: true } : undefined
}

/** Records that the shared secret counts for a caller, as {@link grantChange} does. */
export function recordShared(audit: Audit, caller: string, undo: () => unknown): void | Promise<void> {
  return recordGrant(audit, { type: 'hmac.shared.accepted', ...ofCaller(caller) }, undo)
}

/** Tells that it does not any more: that is never held up. */
export function tellSharedEnded(audit: Audit, caller: string): void {
  void audit.emit({ type: 'hmac.shared.ended', ...ofCaller(caller) })
}

const ofCaller = (caller: string) => ({ gate: 'hmac', principal: { kind: 'hmac', id: caller } })

/** Records that versions were forgotten, as {@link grantChange} does: without any, the shared secret counts again. */
export function recordForgotten(
  audit: Audit,
  caller: string,
  versions: readonly number[],
  undo: () => unknown,
): void | Promise<void> {
  const [version] = versions
  const credential = versions.length === 1 ? { id: `${caller}/${version}`, version } : undefined
  const attributes = { versions: listed(versions.map(String)) }
  const principal = { kind: 'hmac', id: caller }
  return recordGrant(audit, { type: 'hmac.secret.forgotten', gate: 'hmac', principal, credential, attributes }, undo)
}

function eventOf(
  change: 'added' | 'rotated' | 'retired' | 'revoked',
  caller: string,
  version: number,
  attributes?: AuditAttributes,
): AuditEventInput {
  return {
    type: `hmac.secret.${change}`,
    gate: 'hmac',
    principal: { kind: 'hmac', id: caller },
    credential: { id: `${caller}/${version}`, version },
    attributes,
  }
}
