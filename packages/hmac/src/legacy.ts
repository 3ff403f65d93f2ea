import { timingSafeEqual } from 'node:crypto'
import { OptionError } from '@countersign/core'
import {
  type AuditAttributes,
  denied,
  describeError,
  granted,
  isPromise,
  option,
  resolveOptions,
  sha256,
  type UsageCounter,
} from '@countersign/core/gate-kit'
import { CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'
import { principalFor } from './principal.js'
import type { PresentedKey } from './read.js'
import type { HmacVerdict } from './reasons.js'

/** The old shared key that signatures replace. */
export interface LegacyOptions {
  /** The header fields that carry the old key, each or all of them. Of `authorization` the Bearer token is taken. */
  readonly headers: readonly string[]
  /** Each caller's old keys; `*shared*` for one that several callers have. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

/** The kill switch of the old key: for all, or caller by caller. */
export type EnforceSetting = boolean | Readonly<Record<string, boolean>>

/** The kill switch, or a function that is asked for each request. It is not async: a promise counts as true. */
export type Enforce = EnforceSetting | (() => EnforceSetting)

/** The old keys, by their digests. */
export interface LegacyKeys {
  /** In lower case. */
  readonly headers: readonly string[]
  readonly candidates: readonly { readonly caller: string; readonly digest: Buffer }[]
}

const rules = {
  headers: option.strings(/^[A-Za-z0-9-]{1,64}$/, 'a list of header names').required(),
  keys: option
    .custom<LegacyOptions['keys']>('an object of caller: [key, …]', (value) =>
      value !== null && typeof value === 'object' && Object.entries(value).every(isEntry)
        ? (value as LegacyOptions['keys'])
        : undefined,
    )
    .secret()
    .required(),
}

function isEntry([caller, keys]: [string, unknown]): boolean {
  const isName = CALLER_PATTERN.test(caller) || caller === SHARED_CALLER
  return isName && Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'string' && key !== '')
}

/** @throws {OptionError} for wrong options, and for one key under two callers. */
export function resolveLegacyKeys(owner: string, options: LegacyOptions): LegacyKeys {
  const { headers, keys } = resolveOptions(owner, options, rules, 'legacy.')
  const candidates = Object.entries(keys).flatMap(([caller, list]) =>
    list.map((key) => ({ caller, digest: sha256(Buffer.from(key, 'utf8')) })),
  )
  if (new Set(candidates.map(({ digest }) => digest.toString('hex'))).size !== candidates.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.keys',
      `${owner}: option "legacy.keys" has one key twice, so its caller is ambiguous: put it under "${SHARED_CALLER}"`,
    )
  }
  return { headers: headers.map((name) => name.toLowerCase()), candidates }
}

/** Decides on an old key: digests are compared in constant time, and every candidate is tried. */
export function verifyKey(
  { key }: PresentedKey,
  { candidates }: LegacyKeys,
  enforce: Enforce | undefined,
  usage: Pick<UsageCounter, 'count'>,
): HmacVerdict {
  const digest = sha256(Buffer.from(key, 'latin1'))
  let caller: string | undefined
  for (const candidate of candidates) if (timingSafeEqual(candidate.digest, digest)) caller = candidate.caller
  const attributes = { format: 'legacy' }
  if (caller === undefined) return denied('bad_signature', { detail: { attributes } })
  const { isRefused, failure } = askEnforce(enforce, caller)
  const detail = { principalId: caller, attributes: { ...attributes, ...failure } }
  usage.count(caller, !isRefused)
  return isRefused ? denied('legacy_refused', { detail }) : granted(principalFor(caller, 'legacy'), detail)
}

/** The answer of the kill switch, and what the event says when there is none. */
interface Enforcement {
  readonly isRefused: boolean
  readonly failure?: AuditAttributes
}

/** Left out it is false, for this caller has a legacy key; what throws or is not a boolean counts as true. */
function askEnforce(enforce: Enforce | undefined, caller: string): Enforcement {
  try {
    const setting: unknown = typeof enforce === 'function' ? enforce() : (enforce ?? false)
    if (isPromise(setting)) {
      // It is refused all the same, so what it rejects with must not end the process.
      setting.then(undefined, () => undefined)
      return { isRefused: true, failure: { error: 'promise' } }
    }
    return { isRefused: isRefusedBy(setting, caller) }
  } catch (error) {
    return { isRefused: true, failure: describeError(error) }
  }
}

function isRefusedBy(setting: unknown, caller: string): boolean {
  if (typeof setting === 'boolean') return setting
  if (setting === null || typeof setting !== 'object') return true
  const own: unknown = Object.hasOwn(setting, caller) ? (setting as Record<string, unknown>)[caller] : false
  return typeof own === 'boolean' ? own : true
}
