import { timingSafeEqual } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { denied, fieldLines, granted, option, parseAuthorization, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'
import { isSent } from './formats/is-sent.js'
import type { HmacVerdict } from './reasons.js'

export interface LegacyOptions {
  /** The header fields that carry the old key. Of `authorization` the Bearer token is taken. */
  readonly headers: readonly string[]
  /** Each caller's old keys; `*shared*` for one that nobody can be told apart by. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

/** The kill switch of the old key: for all, or caller by caller. */
export type EnforceSetting = boolean | Readonly<Record<string, boolean>>
export type Enforce = EnforceSetting | (() => EnforceSetting)

/** Who is still on the old key. Times are ms since the epoch. */
export interface LegacyUsage {
  readonly caller: string
  readonly accepted: number
  readonly refused: number
  readonly lastSeenAt: number
}

export interface Legacy {
  readonly reads: readonly string[]
  readonly callers: readonly string[]
  isPresented(request: Request): boolean
  authenticate(request: Request): HmacVerdict
  usage(): readonly LegacyUsage[]
}

const rules = {
  headers: option.strings(/^[A-Za-z0-9-]{1,64}$/, 'a list of header names').required(),
  keys: option
    .custom<Readonly<Record<string, readonly string[]>>>('an object of caller: [key, …]', (value) =>
      value !== null && typeof value === 'object' && Object.entries(value).every(isEntry)
        ? (value as Record<string, string[]>)
        : undefined,
    )
    .secret()
    .required(),
}

function isEntry([caller, keys]: [string, unknown]): boolean {
  const isName = CALLER_PATTERN.test(caller) || caller === SHARED_CALLER
  return isName && Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'string' && key !== '')
}

/**
 * Accepts the old shared key next to signatures. Compared are digests, in constant time, every candidate tried.
 *
 * @throws {OptionError}
 */
export function createLegacy(options: LegacyOptions, enforce: Enforce | undefined, now: () => number): Legacy {
  const { headers, keys } = resolveOptions('requireHmac', options, rules, 'legacy.')
  const reads = headers.map((name) => name.toLowerCase())
  const candidates = Object.entries(keys).flatMap(([caller, list]) =>
    list.map((key) => ({ caller, digest: sha256(Buffer.from(key, 'utf8')) })),
  )
  if (new Set(candidates.map(({ digest }) => digest.toString('hex'))).size !== candidates.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.keys',
      `requireHmac: option "legacy.keys" has one key twice, so nobody can tell whose it is: put it under "${SHARED_CALLER}"`,
    )
  }
  const usage = new Map<string, LegacyUsage>()

  function callerOf(key: string): string | undefined {
    // A header's text has one unit a byte.
    const digest = sha256(Buffer.from(key, 'latin1'))
    let found: string | undefined
    for (const candidate of candidates) if (timingSafeEqual(candidate.digest, digest)) found = candidate.caller
    return found
  }

  function count(caller: string, isAccepted: boolean): void {
    const { accepted = 0, refused = 0 } = usage.get(caller) ?? {}
    usage.set(caller, {
      caller,
      accepted: accepted + (isAccepted ? 1 : 0),
      refused: refused + (isAccepted ? 0 : 1),
      lastSeenAt: now(),
    })
  }

  function authenticate(request: Request): HmacVerdict {
    const fields = reads.flatMap((name) => fieldLines(request, name).map((value) => ({ name, value })))
    const [field] = fields
    if (field === undefined) return denied('missing')
    if (fields.length > 1) return denied('ambiguous', { detail: { attributes: { format: 'legacy' } } })
    const key = field.name === 'authorization' ? bearerOf(request) : field.value
    const caller = key === undefined || key === '' ? undefined : callerOf(key)
    if (caller === undefined) return denied('bad_signature', { detail: { attributes: { format: 'legacy' } } })
    const detail = { principalId: caller, attributes: { format: 'legacy' } }
    const isEnforced = isEnforcedFor(enforce, caller)
    count(caller, !isEnforced)
    if (isEnforced) return denied('legacy_refused', { detail })
    return granted({ kind: 'hmac', id: caller, caller, format: 'legacy' }, detail)
  }

  return {
    reads,
    callers: Object.keys(keys),
    isPresented: (request) => isSent(request, reads),
    authenticate,
    usage: () => [...usage.values()],
  }
}

function bearerOf(request: Request): string | undefined {
  const parsed = parseAuthorization(request)
  return parsed.kind === 'credentials' && parsed.scheme === 'bearer' ? parsed.token : undefined
}

/** Left out it is false, for this caller has a legacy key; what throws or is no boolean counts as true. */
function isEnforcedFor(enforce: Enforce | undefined, caller: string): boolean {
  try {
    const setting = typeof enforce === 'function' ? enforce() : (enforce ?? false)
    if (typeof setting === 'boolean') return setting
    if (setting === null || typeof setting !== 'object' || 'then' in setting) return true
    const own = Object.hasOwn(setting, caller) ? setting[caller] : false
    return typeof own === 'boolean' ? own : true
  } catch {
    return true
  }
}
