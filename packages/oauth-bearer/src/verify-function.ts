import { DeadlineError, UnavailableError, type Clock } from '@countersign/core'
import { denied, isPromise, settle, unavailable, withDeadline } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { mapClaims, toPrincipal, toVerdict } from './build-verified.js'
import type { Presented } from './issuers/issuer.js'
import { isJsonObject, type JsonObject } from './jwt/strict-json.js'
import type { Via } from './principal.js'
import { checkTimes, type TokenOutcome } from './token-outcome.js'
import { VerifierUnavailable } from './verifier-unavailable.js'

/** Whose a token is, as a {@link VerifyFunction} says. A subject or a client there must be. */
export interface VerifiedToken {
  readonly subject?: string
  readonly clientId?: string
  readonly scopes?: readonly string[]
  /** ms since the epoch. Only with it the answer is kept, for 30 s at most. */
  readonly expiresAt?: number
  readonly claims?: JsonObject
}

export interface VerifyContext {
  /** Aborts when the time for an answer is over. */
  readonly signal: AbortSignal
  /** The authentication scheme of the token, in lower case. */
  readonly scheme: string
  /** Absent when the token came from the MCP SDK's `requireBearerAuth`. */
  readonly req: Request | undefined
}

/**
 * Verifies a token in a way of the app's own. `null` refuses it; a {@link VerifierUnavailable} is a 503; whatever else
 * is thrown is a bug, 500. The function must see to it that the token was made for this resource.
 */
export type VerifyFunction = (
  token: string,
  context: VerifyContext,
) => VerifiedToken | null | PromiseLike<VerifiedToken | null>

export interface VerifySetup {
  readonly verify: VerifyFunction
  readonly issuer: string
  readonly via: Via
  readonly clock: Clock
  readonly timeoutMs: number
  readonly toleranceMs: number
  readonly claims: Readonly<Record<string, string>>
}

const MAX_KEEP_MS = 30_000
/** As seconds this is in the year 5138, as milliseconds in 1973: what is below are seconds by mistake. */
const MIN_MILLISECONDS = 100_000_000_000

/** Asks the app's own function, with a deadline. */
export function createVerifyFunction(setup: VerifySetup) {
  const { verify, timeoutMs, clock } = setup
  return ({ token, scheme, request }: Presented, now: number): TokenOutcome | Promise<TokenOutcome> => {
    const controller = new AbortController()
    const askedMs = clock.monotonic()
    const outcome = settle<VerifiedToken | null, TokenOutcome>(
      () => {
        const answer = verify(token, { signal: controller.signal, scheme, req: request })
        return isPromise(answer) ? withDeadline(answer, timeoutMs, 'verify') : answer
      },
      (answer) => conclude(answer, setup, now, askedMs),
      (error) => {
        controller.abort(error)
        return unavailableOr(error)
      },
    )
    return outcome as TokenOutcome | Promise<TokenOutcome>
  }
}

/** The verdict on what a function threw that means "I cannot know"; everything else is thrown on. */
export function unavailableOr(error: unknown): TokenOutcome & { readonly outcome: 'unavailable' } {
  if (error instanceof VerifierUnavailable) {
    return unavailable('verifier', { retryAfterSeconds: error.retryAfterSeconds })
  }
  if (error instanceof DeadlineError || error instanceof UnavailableError) return unavailable('verifier')
  throw error
}

function conclude(answer: VerifiedToken | null, setup: VerifySetup, now: number, askedMs: number): TokenOutcome {
  const { via, issuer, toleranceMs } = setup
  if (answer === null) return denied(via === 'legacy' ? 'legacy_refused' : 'inactive')
  assertVerified(answer)
  const { subject, clientId, scopes = [], expiresAt, claims = {} } = answer
  if (claims.cnf !== undefined) return denied('bound_token')
  const untimely = checkTimes({ expiresAt, toleranceMs }, now)
  if (untimely !== undefined) return denied(untimely)
  const principal = toPrincipal({
    issuer,
    subject,
    clientId,
    scopes: [...scopes],
    expiresAt,
    claims: mapClaims(structuredClone(claims), setup.claims),
    via,
  })
  const keepUntilMs = expiresAt === undefined ? undefined : askedMs + MAX_KEEP_MS
  return { outcome: 'verified', verdict: toVerdict(principal), expiresAt, toleranceMs, keepUntilMs }
}

/** @throws {TypeError} what a verifier returns that it must not is a mistake in the app: 500, never a way in. */
function assertVerified(answer: unknown): asserts answer is VerifiedToken {
  const { subject, clientId, scopes, expiresAt, claims } = (isJsonObject(answer) ? answer : {}) as JsonObject
  const isName = (value: unknown) => typeof value === 'string' && value !== ''
  const isValid =
    (isName(subject) || isName(clientId)) &&
    [subject, clientId].every((value) => value === undefined || isName(value)) &&
    (scopes === undefined || (Array.isArray(scopes) && scopes.every(isName))) &&
    (expiresAt === undefined || (Number.isFinite(expiresAt) && (expiresAt as number) >= MIN_MILLISECONDS)) &&
    (claims === undefined || isJsonObject(claims))
  if (isValid) return
  const message =
    'verify must return null or { subject or clientId, scopes?: string[], expiresAt?: ms since the epoch, claims? }'
  throw Object.assign(new TypeError(message), { code: 'ERR_COUNTERSIGN_VERIFY_RESULT' })
}
