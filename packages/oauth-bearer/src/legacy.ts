import { timingSafeEqual } from 'node:crypto'
import { type Clock, OptionError } from '@countersign/core'
import {
  andThen,
  countUsage,
  denied,
  isToken68,
  type LegacyUse,
  option,
  resolveOptions,
  sha256,
} from '@countersign/core/gate-kit'
import { assertScopes } from './demand.js'
import type { AskAboutToken } from './issuers/issuer.js'
import { createVerifyFunction, type VerifyFunction } from './issuers/verify-function.js'
import type { TokenOutcome } from './outcome.js'
import { isJsonObject } from './strict-encoding.js'

/** Tokens from before OAuth, under an authentication scheme of their own, until a fixed time. */
export interface LegacyTokenOptions {
  /** The authentication scheme. Default `Token`. */
  readonly scheme?: string | undefined
  /** Subject → its token, or tokens; compared in constant time. Either these or `verify`. */
  readonly tokens?: Readonly<Record<string, string | readonly string[]>> | undefined
  /** Verifies in the app's own way, which must compare in constant time. */
  readonly verify?: VerifyFunction | undefined
  /** How long `verify` may take. Default 2000. */
  readonly verifyTimeoutMs?: number | undefined
  /** The scopes that each of `tokens` has. Default: none. */
  readonly scopes?: readonly string[] | undefined
  /** From this time on they are refused: a date with a time, ISO 8601, such as `2026-09-01T00:00:00Z`. */
  readonly until: string
}

/** The legacy verifier. */
export interface Legacy {
  /** As challenges spell it. */
  readonly scheme: string
  readonly verify: AskAboutToken
  isOver(now: number): boolean
  usage(): readonly LegacyUse[]
}

/** The `issuer` of the principals: no other issuer has this name. */
export const LEGACY_ISSUER = 'legacy'
const MIN_TOKEN_LENGTH = 16
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])
/** Another text could not be presented. */
const isToken = (value: unknown) => typeof value === 'string' && value.length >= MIN_TOKEN_LENGTH && isToken68(value)

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
  verifyTimeoutMs: option.integer(1, 60_000).default(2000),
  scopes: option.strings().default([]),
  until: option
    .custom<number>('a date with a time and a zone, such as 2026-09-01T00:00:00Z', (value) => {
      const time = typeof value === 'string' && ISO_TIME.test(value) ? Date.parse(value) : Number.NaN
      return Number.isNaN(time) ? undefined : time
    })
    .required(),
}

/** The options with their defaults; `until` in milliseconds since the epoch. */
export interface CheckedLegacyOptions extends Omit<LegacyTokenOptions, 'until'> {
  readonly scheme: string
  readonly verifyTimeoutMs: number
  readonly scopes: readonly string[]
  readonly until: number
}

/** @throws {OptionError} */
export function checkLegacyOptions(options: LegacyTokenOptions): CheckedLegacyOptions {
  const checked = resolveOptions('requireOAuthBearer', options, rules, 'legacy.')
  const { tokens, verify } = checked
  assertScopes(checked.scopes, 'legacy.scopes')
  if ((tokens === undefined) === (verify === undefined)) {
    const code = tokens === undefined ? 'ERR_COUNTERSIGN_OPTION_MISSING' : 'ERR_COUNTERSIGN_OPTION_INVALID'
    throw new OptionError(code, 'legacy.tokens', 'requireOAuthBearer: set one of "legacy.tokens" and "legacy.verify"')
  }
  const digests = digestsOf(tokens ?? {}).map(({ digest }) => digest.toString('hex'))
  if (new Set(digests).size !== digests.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.tokens',
      'requireOAuthBearer: "legacy.tokens" contains a token twice',
    )
  }
  return checked
}

/** Makes the verifier of legacy tokens, which counts who still uses one. */
export function createLegacy(options: CheckedLegacyOptions, clock: Clock): Legacy {
  const { scheme, tokens, verify, verifyTimeoutMs, scopes, until } = options
  const subjectOf = createSubjectLookup(tokens ?? {})
  const { count, usage } = countUsage(() => clock.now())
  const ask = createVerifyFunction({
    verify:
      verify ??
      ((token) => {
        const subject = subjectOf(token)
        return subject === undefined ? null : { subject, scopes }
      }),
    issuer: LEGACY_ISSUER,
    via: 'legacy',
    clock,
    timeoutMs: verifyTimeoutMs,
    toleranceMs: 0,
    claimNames: {},
    takesBound: false,
  })

  /** No verifier is asked any more. A known token shows who has not migrated yet. */
  function refuseLate(token: string): TokenOutcome {
    const subject = subjectOf(token)
    if (subject === undefined) return denied('legacy_refused')
    count(subject, false)
    return denied('legacy_refused', { detail: { principalId: `${LEGACY_ISSUER}|${subject}` } })
  }

  return {
    scheme,
    isOver: (now) => now >= until,
    verify: (presented, now, request) =>
      now >= until
        ? refuseLate(presented.token)
        : andThen<TokenOutcome, TokenOutcome>(ask(presented, now, request), (outcome) => {
            if (outcome.outcome !== 'verified') return outcome
            const { subject, clientId = '' } = outcome.verdict.principal
            count(subject ?? clientId, true)
            // Never cached: `until` and the count apply to every request.
            return { ...outcome, keepUntilMs: undefined }
          }),
    usage,
  }
}

function digestsOf(tokens: Readonly<Record<string, string | readonly string[]>>) {
  return Object.entries(tokens).flatMap(([subject, list]) =>
    listOf(list).map((token) => ({ subject, digest: sha256(String(token)) })),
  )
}

/** Finds the subject of a token. Compares digests of one length, and all of them, whatever it finds. */
function createSubjectLookup(
  tokens: Readonly<Record<string, string | readonly string[]>>,
): (token: string) => string | undefined {
  const candidates = digestsOf(tokens)
  return (token) => {
    const digest = sha256(token)
    let found: string | undefined
    for (const candidate of candidates) if (timingSafeEqual(candidate.digest, digest)) found = candidate.subject
    return found
  }
}
