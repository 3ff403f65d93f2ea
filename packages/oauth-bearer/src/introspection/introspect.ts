import type { Clock } from '@countersign/core'
import { denied, unavailable, unavailableBy } from '@countersign/core/gate-kit'
import { LRUCache } from 'lru-cache'
import { type ClaimRules, checkClaims, wrongType } from '../claims.js'
import { createCircuit } from '../http/circuit.js'
import { FetchError } from '../http/request.js'
import { markOfOtherToken, PROFILES } from '../jwt/profile.js'
import type { TokenOutcome } from '../outcome.js'
import { grantByClaims } from '../principal.js'
import type { PresentedToken } from '../read.js'
import type { JsonObject } from '../strict-encoding.js'
import { digestOf } from '../token-cache.js'
import type { AskEndpoint } from './ask-endpoint.js'
import type { CheckedIntrospectionOptions } from './introspection-options.js'

const INACTIVE_MS = 10_000
const MAX_ACTIVE = 1000
/** Digests only. Separate, so that a flood of junk does not evict what is known of good tokens. */
const MAX_INACTIVE = 10_000

/** What an endpoint said of an active token, and until when that is cached. */
interface Answer {
  readonly claims: JsonObject
  readonly keepUntilMs: number
}

/** What {@link createIntrospection} needs. */
export interface IntrospectionSetup {
  readonly rules: ClaimRules
  readonly options: Pick<CheckedIntrospectionOptions, 'allowMissingAudience' | 'maxConcurrent' | 'cacheSeconds'>
  readonly ask: AskEndpoint
  readonly clock: Clock
}

/**
 * Verifies tokens by asking the issuer: one question for concurrent requests with the same token. Active answers are
 * cached for `cacheSeconds`, inactive ones for 10 s. Any other answer is never cached: it is *unavailable*, not *inactive*.
 *
 * Source: RFC 7662 §2.2, §4.
 */
export function createIntrospection({
  rules,
  options,
  ask,
  clock,
}: IntrospectionSetup): (presented: PresentedToken) => TokenOutcome | Promise<TokenOutcome> {
  const active = new LRUCache<string, Answer>({ max: MAX_ACTIVE })
  const inactiveUntilMs = new LRUCache<string, number>({ max: MAX_INACTIVE })
  const questions = new Map<string, Promise<TokenOutcome>>()
  const circuit = createCircuit(clock, { threshold: 5, baseMs: 1000, maxMs: 15_000 })

  async function question(token: string, digest: string): Promise<TokenOutcome> {
    const askedMs = clock.monotonic()
    let claims: JsonObject
    try {
      claims = await ask(token)
      // Anything but true and false is not an answer (RFC 7662 §2.2).
      if (typeof claims.active !== 'boolean') throw new FetchError('invalid', 200, 'active')
    } catch (error) {
      if (!(error instanceof FetchError)) return unavailableBy(error, 'introspection')
      if (concernsAll(error)) circuit.failed()
      return failed(error.message, circuit.retryAfterSeconds())
    }
    circuit.succeeded()
    if (!claims.active) {
      inactiveUntilMs.set(digest, askedMs + INACTIVE_MS)
      return INACTIVE
    }
    const answer = { claims: withoutToken(claims, token), keepUntilMs: askedMs + options.cacheSeconds * 1000 }
    if (options.cacheSeconds > 0) active.set(digest, answer)
    return judge(answer)
  }

  function judge({ claims, keepUntilMs }: Answer): TokenOutcome {
    const type = typeof claims.token_type === 'string' ? claims.token_type.toLowerCase() : 'bearer'
    if (type === 'dpop') return denied('bound_token')
    const mark = markOfOtherToken(PROFILES.relaxed, claims)
    if (mark !== undefined) return wrongType(claims.token_type, { claim: mark })
    if (type !== 'bearer') return wrongType(claims.token_type, { expected: ['bearer'] })
    const required = options.allowMissingAudience ? [] : ['aud']
    const times = checkClaims(claims, rules, required, clock.now())
    if ('outcome' in times) return times
    const { active: _active, ...rest } = claims
    const verdict = grantByClaims(rest, rules, times.expiresAt, 'introspection')
    return { outcome: 'verified', verdict, ...times, toleranceMs: rules.toleranceMs, keepUntilMs }
  }

  return (presented) => {
    const digest = digestOf(presented)
    const nowMs = clock.monotonic()
    const known = active.get(digest)
    if (known !== undefined && nowMs < known.keepUntilMs) return judge(known)
    if (nowMs < (inactiveUntilMs.get(digest) ?? 0)) return INACTIVE
    const pending = questions.get(digest)
    if (pending !== undefined) return pending
    if (!circuit.mayTry()) return failed('circuit', circuit.retryAfterSeconds())
    if (questions.size >= options.maxConcurrent) return failed('bulkhead', 1)
    const asked = question(presented.token, digest).finally(() => questions.delete(digest))
    questions.set(digest, asked)
    return asked
  }
}

/**
 * Whether the next token would have the same result. What one token alone can cause, such as a 400 or an answer that is too
 * large, must not lock out all other tokens.
 */
function concernsAll({ status }: FetchError): boolean {
  return status === undefined || status >= 500 || OF_ALL.includes(status)
}

/** Our credentials, the place, the rate. */
const OF_ALL = [401, 403, 404, 429]

const INACTIVE: TokenOutcome = Object.freeze(denied('inactive'))

/** The claims without the token itself, which some endpoints return as `jti`: the `jti` goes into the event. */
function withoutToken(claims: JsonObject, token: string): JsonObject {
  const others = Object.entries(claims).filter(([, value]) => value !== token)
  return Object.setPrototypeOf(Object.fromEntries(others), null) as JsonObject
}

function failed(failure: string, retryAfterSeconds: number): TokenOutcome {
  return unavailable('introspection', { retryAfterSeconds, detail: { attributes: { failure } } })
}
