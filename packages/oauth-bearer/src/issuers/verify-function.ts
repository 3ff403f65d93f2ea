import type { Clock } from '@countersign/core'
import {
  CodedTypeError,
  denied,
  isPromise,
  memberOf,
  settle,
  unavailableBy,
  withDeadline,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { boundAsToken, checkTimes, isBound } from '../claims.js'
import type { TokenOutcome } from '../outcome.js'
import { grantTo, type Via } from '../principal.js'
import type { PresentedToken } from '../read.js'
import { isJsonObject, type JsonObject } from '../strict-encoding.js'
import type { AskAboutToken } from './issuer.js'

/** Who holds a token, as a {@link VerifyFunction} says. It has a subject or a client. */
export interface VerifiedToken {
  readonly subject?: string | undefined
  readonly clientId?: string | undefined
  readonly scopes?: readonly string[] | undefined
  /** Milliseconds since the epoch. Only with it the answer is cached, for at most 30 s. */
  readonly expiresAt?: number | undefined
  readonly claims?: JsonObject | undefined
}

/** What a {@link VerifyFunction} gets beside the token. */
export interface VerifyContext {
  /** Aborts when the time for an answer is over. */
  readonly signal: AbortSignal
  /** The authentication scheme of the token, in lower case. */
  readonly scheme: string
  /** Undefined if the token came from the MCP SDK's `requireBearerAuth`. */
  readonly req: Request | undefined
}

/**
 * Verifies a token in the app's own way. `null` refuses it. A throw is an outage, 503, unless it is a bug by decision 0006,
 * 500; an `UnavailableError('verifier', …)` can say when to retry. The function must make sure that the token was issued for
 * this resource.
 */
export type VerifyFunction = (
  token: string,
  context: VerifyContext,
) => VerifiedToken | null | PromiseLike<VerifiedToken | null>

/** What {@link createVerifyFunction} needs. */
export interface VerifyFunctionSetup {
  readonly verify: VerifyFunction
  readonly issuer: string
  readonly via: Via
  readonly clock: Clock
  readonly timeoutMs: number
  readonly toleranceMs: number
  readonly claimNames: Readonly<Record<string, string>>
  /** As in the rules of claims. */
  readonly takesBound: boolean
}

const MAX_KEEP_MS = 30_000
/** In seconds this is the year 5138, in milliseconds 1973: a smaller number is seconds by mistake. */
const MIN_MILLISECONDS = 100_000_000_000

/** Asks the app's own function, with a deadline. */
export function createVerifyFunction(setup: VerifyFunctionSetup): AskAboutToken {
  const { verify, timeoutMs, clock } = setup
  return ({ token, scheme }: PresentedToken, now, request) => {
    const controller = new AbortController()
    const askedMs = clock.monotonic()
    return settle<VerifiedToken | null, TokenOutcome>(
      () => {
        const answer = verify(token, { signal: controller.signal, scheme, req: request })
        return isPromise(answer) ? withDeadline(answer, timeoutMs, 'verifier') : answer
      },
      (answer) => judge(answer, token, setup, now, askedMs),
      (error) => {
        controller.abort(error)
        return unavailableBy(error, 'verifier')
      },
    )
  }
}

function judge(
  answer: VerifiedToken | null,
  token: string,
  setup: VerifyFunctionSetup,
  now: number,
  askedMs: number,
): TokenOutcome {
  const { via, issuer, toleranceMs, claimNames, takesBound } = setup
  if (answer === null) return denied(via === 'legacy' ? 'legacy_refused' : 'inactive')
  assertVerified(answer)
  const { subject, clientId, scopes = [], expiresAt, claims = {} } = membersOf(answer)
  const untimely = checkTimes({ expiresAt }, toleranceMs, now)
  if (untimely !== undefined) return untimely
  const said = structuredClone(claims)
  // Where nothing is checked here, what a JWT is bound to may be what the app's function checks itself.
  const own = takesBound ? boundAsToken(said, token) : isBound(said) ? undefined : said
  if (own === undefined) return denied('bound_token')
  const verdict = grantTo({ issuer, subject, clientId, scopes: [...scopes], expiresAt, claims: own, claimNames, via })
  const keepUntilMs = expiresAt === undefined ? undefined : askedMs + MAX_KEEP_MS
  return { outcome: 'verified', verdict, expiresAt, toleranceMs, keepUntilMs }
}

/** The members of an answer, none of them inherited from `Object.prototype`. */
function membersOf<T extends VerifiedToken>(answer: T): VerifiedToken {
  return {
    subject: memberOf(answer, 'subject'),
    clientId: memberOf(answer, 'clientId'),
    scopes: memberOf(answer, 'scopes'),
    expiresAt: memberOf(answer, 'expiresAt'),
    claims: memberOf(answer, 'claims'),
  }
}

/** @throws {TypeError} with code `ERR_COUNTERSIGN_VERIFY_RESULT`: a wrong result is a bug in the app, 500. */
function assertVerified(answer: unknown): asserts answer is VerifiedToken {
  const { subject, clientId, scopes, expiresAt, claims } = membersOf(isJsonObject(answer) ? answer : {})
  const isName = (value: unknown) => typeof value === 'string' && value !== ''
  const isValid =
    (isName(subject) || isName(clientId)) &&
    [subject, clientId].every((value) => value === undefined || isName(value)) &&
    (scopes === undefined || (Array.isArray(scopes) && scopes.every(isName))) &&
    (expiresAt === undefined || (Number.isFinite(expiresAt) && (expiresAt as number) >= MIN_MILLISECONDS)) &&
    (claims === undefined || isJsonObject(claims))
  if (isValid) return
  throw new CodedTypeError(
    'ERR_COUNTERSIGN_VERIFY_RESULT',
    'verify must return null or { subject or clientId, scopes?: string[], expiresAt?: ms since the epoch, claims? }',
  )
}
