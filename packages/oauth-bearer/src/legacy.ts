import { timingSafeEqual } from 'node:crypto'
import { OptionError, type Clock } from '@countersign/core'
import { denied, option, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import type { Presented } from './issuers/issuer.js'
import { isJsonObject } from './jwt/strict-json.js'
import { andThen } from './maybe.js'
import { assertScopes } from './scopes.js'
import type { TokenOutcome } from './token-outcome.js'
import { createVerifyFunction, type VerifyFunction } from './verify-function.js'

/** Tokens of before OAuth, under a scheme of their own, until a day that is set. */
export interface LegacyTokenOptions {
  /** The authentication scheme. Default `Token`. */
  readonly scheme?: string
  /** Subject → its token, or tokens; compared in constant time. Either these or `verify`. */
  readonly tokens?: Readonly<Record<string, string | readonly string[]>>
  /** Verifies in a way of the app's own, which must compare in constant time. */
  readonly verify?: VerifyFunction
  /** The scopes that each of `tokens` is worth. Default: none. */
  readonly scopes?: readonly string[]
  /** From this moment on they are refused: a date with a time, ISO 8601, e.g. `2026-09-01T00:00:00Z`. */
  readonly until: string
}

/** Who still comes with a legacy token. Times are ms since the epoch. */
export interface LegacyTokenUsage {
  readonly subject: string
  readonly accepted: number
  readonly refused: number
  readonly lastSeenAt: number
}

/** The legacy scheme at work. */
export interface Legacy {
  /** As challenges spell it. */
  readonly scheme: string
  isOver(now: number): boolean
  verify(presented: Presented, now: number): TokenOutcome | Promise<TokenOutcome>
  usage(): readonly LegacyTokenUsage[]
}

/** What stands in a principal's `issuer`. */
const ISSUER = 'legacy'
const MIN_TOKEN_LENGTH = 16
/** Of subjects that `verify` names; those of `tokens` are all kept. */
const MAX_SUBJECTS = 10_000
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])
/** A token68 (RFC 9110 §11.2): another could not be presented. */
const isToken = (value: unknown) =>
  typeof value === 'string' && value.length >= MIN_TOKEN_LENGTH && /^[A-Za-z0-9\-._~+/]+=*$/.test(value)

const rules = {
  scheme: option
    .string(/^(?!(?:bearer|dpop|basic)$)[A-Za-z0-9-]{1,32}$/i, 'the name of a scheme that is not Bearer, DPoP or Basic')
    .default('Token'),
  tokens: option
    .custom<Readonly<Record<string, string | readonly string[]>>>(
      'an object of subject: a token68 of 16 characters or more, or a list of them',
      (value) =>
        isJsonObject(value) && Object.values(value).every((one) => listOf(one).length > 0 && listOf(one).every(isToken))
          ? (value as Record<string, string>)
          : undefined,
    )
    .secret(),
  verify: option.func<VerifyFunction>(),
  scopes: option.strings().default([]),
  until: option
    .custom<number>('a date with a time and a zone, such as 2026-09-01T00:00:00Z', (value) => {
      const time = typeof value === 'string' && ISO_TIME.test(value) ? Date.parse(value) : Number.NaN
      return Number.isNaN(time) ? undefined : time
    })
    .required(),
}

/** @throws {OptionError} */
export function createLegacy(options: LegacyTokenOptions, timeoutMs: number, clock: Clock): Legacy {
  const { scheme, tokens, verify, scopes, until } = resolveOptions('requireOAuthBearer', options, rules, 'legacy.')
  assertScopes(scopes, 'legacy.scopes')
  if ((tokens === undefined) === (verify === undefined)) {
    const code = tokens === undefined ? 'ERR_COUNTERSIGN_OPTION_MISSING' : 'ERR_COUNTERSIGN_OPTION_INVALID'
    throw new OptionError(code, 'legacy.tokens', 'requireOAuthBearer: set one of "legacy.tokens" and "legacy.verify"')
  }
  const subjectOf = createSubjectLookup(tokens ?? {})
  const usage = new Map<string, LegacyTokenUsage>()
  const ask = createVerifyFunction({
    verify:
      verify ??
      ((token) => {
        const subject = subjectOf(token)
        return subject === undefined ? null : { subject, scopes }
      }),
    issuer: ISSUER,
    via: 'legacy',
    clock,
    timeoutMs,
    toleranceMs: 0,
    claims: {},
  })

  function count(subject: string, isAccepted: boolean, now: number): void {
    if (!usage.has(subject) && usage.size >= MAX_SUBJECTS) return
    const { accepted = 0, refused = 0 } = usage.get(subject) ?? {}
    const [more, less] = isAccepted ? [1, 0] : [0, 1]
    usage.set(subject, { subject, accepted: accepted + more, refused: refused + less, lastSeenAt: now })
  }

  /** Nobody is asked any more; a token that is known tells who has not moved yet. */
  function refuseLate(token: string, now: number): TokenOutcome {
    const subject = subjectOf(token)
    if (subject === undefined) return denied('legacy_refused')
    count(subject, false, now)
    return denied('legacy_refused', { detail: { principalId: `${ISSUER}|${subject}` } })
  }

  return {
    scheme,
    isOver: (now) => now >= until,
    verify: (presented, now) =>
      now >= until
        ? refuseLate(presented.token, now)
        : andThen<TokenOutcome, TokenOutcome>(ask(presented, now), (outcome) => {
            if (outcome.outcome !== 'verified') return outcome
            const { subject, clientId = '' } = outcome.verdict.principal
            count(subject ?? clientId, true, now)
            // Kept by no cache: the deadline and each use are to be seen.
            return { ...outcome, keepUntilMs: undefined }
          }),
    usage: () => [...usage.values()],
  }
}

/** Whose token it is. Digests of one length are compared, all of them, whatever is found. */
function createSubjectLookup(tokens: NonNullable<LegacyTokenOptions['tokens']>): (token: string) => string | undefined {
  const candidates = Object.entries(tokens).flatMap(([subject, list]) =>
    listOf(list).map((token) => ({ subject, digest: sha256(String(token)) })),
  )
  if (new Set(candidates.map(({ digest }) => digest.toString('hex'))).size !== candidates.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.tokens',
      'requireOAuthBearer: "legacy.tokens" has a token twice',
    )
  }
  return (token) => {
    const digest = sha256(token)
    let found: string | undefined
    for (const candidate of candidates) if (timingSafeEqual(candidate.digest, digest)) found = candidate.subject
    return found
  }
}
