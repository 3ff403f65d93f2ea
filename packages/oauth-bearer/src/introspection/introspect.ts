import type { Clock } from '@countersign/core'
import { denied, unavailable } from '@countersign/core/gate-kit'
import { LRUCache } from 'lru-cache'
import { toVerified } from '../build-verified.js'
import { checkClaims } from '../check-claims.js'
import { createCircuit } from '../http/circuit.js'
import { FetchError } from '../http/request.js'
import type { OpaqueVerifier, ResolvedIssuer } from '../issuers/issuer.js'
import { PROFILES } from '../jwt/profile.js'
import type { JsonObject } from '../jwt/strict-json.js'
import type { TokenOutcome } from '../token-outcome.js'
import type { AskEndpoint } from './ask-endpoint.js'
import type { CheckedIntrospectionOptions } from './introspection-options.js'

const INACTIVE_MS = 10_000
const MAX_ACTIVE = 1000
/** Of digests alone: a flood of junk must not push out what is known of good tokens. */
const MAX_INACTIVE = 10_000

/** What an endpoint said of an active token, and how long that counts. */
interface Answer {
  readonly claims: JsonObject
  readonly keepUntilMs: number
}

export interface IntrospectionSetup {
  /** A function, for the issuer is complete only when this is in it. */
  readonly issuer: () => ResolvedIssuer
  readonly options: Pick<CheckedIntrospectionOptions, 'allowMissingAudience' | 'maxConcurrent' | 'cacheSeconds'>
  readonly ask: AskEndpoint
  readonly clock: Clock
}

/**
 * Verifies tokens by asking the issuer. One question for all who present the same token at once; active answers count
 * for `cacheSeconds`, inactive ones for 10 s, and what is no answer is never kept: it is *unavailable*, not *inactive*.
 *
 * Source: RFC 7662 §2.2, §4.
 */
export function createIntrospection({ issuer, options, ask, clock }: IntrospectionSetup): OpaqueVerifier {
  const active = new LRUCache<string, Answer>({ max: MAX_ACTIVE })
  const inactiveUntilMs = new LRUCache<string, number>({ max: MAX_INACTIVE })
  const questions = new Map<string, Promise<TokenOutcome>>()
  const circuit = createCircuit(clock, { threshold: 5, baseMs: 1000, maxMs: 15_000 })

  async function question(token: string, digest: string): Promise<TokenOutcome> {
    const askedMs = clock.monotonic()
    try {
      const claims = await ask(token)
      // Anything but true and false is no answer (RFC 7662 §2.2).
      if (typeof claims.active !== 'boolean') throw new FetchError('invalid', 200, 'active')
      circuit.succeeded()
      if (!claims.active) {
        inactiveUntilMs.set(digest, askedMs + INACTIVE_MS)
        return INACTIVE
      }
      const answer = { claims: withoutToken(claims, token), keepUntilMs: askedMs + options.cacheSeconds * 1000 }
      if (options.cacheSeconds > 0) active.set(digest, answer)
      return judge(answer)
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      if (concernsAll(error)) circuit.failed()
      return failed(error.message, circuit.retryAfterSeconds())
    }
  }

  function judge({ claims, keepUntilMs }: Answer): TokenOutcome {
    const type = typeof claims.token_type === 'string' ? claims.token_type.toLowerCase() : 'bearer'
    if (type === 'dpop') return denied('bound_token')
    if (type !== 'bearer' || PROFILES.relaxed.isOtherToken(claims)) return denied('wrong_type')
    const required = options.allowMissingAudience ? [] : ['aud']
    const times = checkClaims(claims, issuer(), required, clock.now())
    if (typeof times === 'string') return denied(times)
    const { active: _active, ...rest } = claims
    return toVerified(issuer(), rest, times, 'introspection', { keepUntilMs })
  }

  return ({ token, digest }) => {
    const nowMs = clock.monotonic()
    const known = active.get(digest)
    if (known !== undefined && nowMs < known.keepUntilMs) return judge(known)
    if (nowMs < (inactiveUntilMs.get(digest) ?? 0)) return INACTIVE
    const pending = questions.get(digest)
    if (pending !== undefined) return pending
    if (!circuit.mayTry()) return failed('circuit', circuit.retryAfterSeconds())
    if (questions.size >= options.maxConcurrent) return failed('bulkhead', 1)
    const asked = question(token, digest).finally(() => questions.delete(digest))
    questions.set(digest, asked)
    return asked
  }
}

/**
 * Whether the next token would fare no better. What can be the fault of one token alone, a status like 400 or an answer
 * that is too large, must not shut out all the others.
 */
function concernsAll({ status }: FetchError): boolean {
  return status === undefined || status >= 500 || OF_ALL.includes(status)
}

/** Our credentials, the place, the rate. */
const OF_ALL = [401, 403, 404, 429]

const INACTIVE: TokenOutcome = Object.freeze(denied('inactive'))

/** What an endpoint says without the token itself, which some say as its `jti`: that goes into the audit. */
function withoutToken(claims: JsonObject, token: string): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== token))
}

function failed(failure: string, retryAfterSeconds: number): TokenOutcome {
  return unavailable('introspection', { retryAfterSeconds, detail: { attributes: { failure } } })
}
