import type { Clock } from '@countersign/core'
import {
  andThen,
  type Denied,
  denied,
  granted,
  LruMap,
  type Unavailable,
  unavailable,
  unavailableBy,
} from '@countersign/core/gate-kit'
import { boundAsToken, type ClaimRules, checkClaims, mergeBinding, scopesOf, wrongType } from '../claims.js'
import { FetchError } from '../http/request.js'
import { markOfOtherToken, PROFILES } from '../jwt/profile.js'
import type { TokenOutcome, Verified } from '../outcome.js'
import { grantByClaims, type OAuthBearerPrincipal } from '../principal.js'
import type { PresentedToken } from '../read.js'
import type { OAuthBearerDependency, OAuthBearerReason } from '../reasons.js'
import type { JsonObject } from '../strict-encoding.js'
import { digestOf } from '../token-cache.js'
import type { AskEndpoint } from './ask-endpoint.js'
import type { CheckedIntrospectionOptions } from './introspection-options.js'
import { concernsAll, createLane, type Lane } from './lane.js'

const INACTIVE_MS = 10_000
/** Also of tokens whose answer is not fresh: they were active before, and keep the lane of such tokens. */
const MAX_ACTIVE = 10_000
/** Digests only. Separate, so that a flood of junk does not evict what is known of good tokens. */
const MAX_INACTIVE = 10_000

/** What an endpoint said of an active token. Times on the monotonic clock. */
interface Answer {
  readonly claims: JsonObject
  /** Until when it is used without asking. */
  readonly keepUntilMs: number
  /** Until when it is used while the endpoint fails. */
  readonly staleUntilMs: number
}

type NoAnswer = Denied<OAuthBearerReason> | Unavailable<OAuthBearerDependency>
/** An answer, and whether it is used because the endpoint fails. */
type Reply = { readonly answer: Answer; readonly isStale: boolean } | NoAnswer

/** What {@link createIntrospection} needs. */
export interface IntrospectionSetup {
  readonly rules: ClaimRules
  /** Other issuers whose tokens the endpoint may vouch for. */
  readonly acceptsIssuers: readonly string[]
  readonly options: Pick<
    CheckedIntrospectionOptions,
    'allowMissingAudience' | 'maxConcurrent' | 'cacheSeconds' | 'staleIfErrorSeconds'
  >
  readonly ask: AskEndpoint
  readonly clock: Clock
}

/** What an endpoint is asked for. */
export interface Introspection {
  /** Verifies a token by what the endpoint says of it. */
  ask(presented: PresentedToken): TokenOutcome | Promise<TokenOutcome>
  /** Asks whether a JWT that was verified is still active. The endpoint can take away from it, and add nothing. */
  confirm(presented: PresentedToken, verified: Verified): TokenOutcome | Promise<TokenOutcome>
}

/**
 * Asks the issuer about tokens: one question for concurrent requests with the same token. Active answers are cached for
 * `cacheSeconds`, inactive ones for 10 s. Any other answer is never cached: it is *unavailable*, not *inactive*.
 *
 * Source: RFC 7662 §2.2, §4.
 */
export function createIntrospection(setup: IntrospectionSetup): Introspection {
  const { acceptsIssuers, options, ask, clock } = setup
  const answers = new LruMap<string, Answer>(MAX_ACTIVE)
  const inactiveUntilMs = new LruMap<string, number>(MAX_INACTIVE)
  const questions = new Map<string, Promise<Reply>>()
  const lanes = { known: createLane(clock, options.maxConcurrent), unknown: createLane(clock, options.maxConcurrent) }

  /** `holder`: whose token it is, if its signature says so. */
  function answerTo(presented: PresentedToken, holder: string | undefined): Reply | Promise<Reply> {
    const digest = digestOf(presented)
    const nowMs = clock.monotonic()
    const known = answers.get(digest)
    if (known !== undefined && nowMs < known.keepUntilMs) return { answer: known, isStale: false }
    if (nowMs < (inactiveUntilMs.get(digest) ?? 0)) return INACTIVE
    const pending = questions.get(digest)
    if (pending !== undefined) return pending
    const owner = holder ?? (known && holderOf(known.claims))
    const lane = owner === undefined ? lanes.unknown : lanes.known
    const obstacle = lane.start(owner)
    if (obstacle !== undefined) return unlessKnown(known, failed(obstacle, lane.retryAfterSeconds(owner)))
    const asked = question(presented.token, digest, lane, owner).finally(() => {
      lane.ended(owner)
      questions.delete(digest)
    })
    questions.set(digest, asked)
    return asked
  }

  async function question(token: string, digest: string, lane: Lane, owner: string | undefined): Promise<Reply> {
    const askedMs = clock.monotonic()
    let claims: JsonObject
    try {
      claims = await ask(token)
      // Anything but true and false is not an answer (RFC 7662 §2.2).
      if (typeof claims.active !== 'boolean') throw new FetchError('invalid', 200, 'active')
    } catch (error) {
      if (!(error instanceof FetchError)) return unavailableBy(error, 'introspection')
      lane.failed(error, owner)
      const failure = failed(error.message, lane.retryAfterSeconds(owner))
      return concernsAll(error) ? unlessKnown(answers.get(digest), failure) : failure
    }
    lane.succeeded()
    if (!claims.active) {
      answers.delete(digest)
      inactiveUntilMs.set(digest, askedMs + INACTIVE_MS)
      return INACTIVE
    }
    const keepUntilMs = askedMs + options.cacheSeconds * 1000
    const staleUntilMs = keepUntilMs + options.staleIfErrorSeconds * 1000
    const answer = { claims: withoutToken(claims, token), keepUntilMs, staleUntilMs }
    answers.set(digest, answer)
    return { answer, isStale: false }
  }

  /** While the endpoint fails, its last answer may count for a while. */
  function unlessKnown(known: Answer | undefined, failure: NoAnswer): Reply {
    const isUsable = known !== undefined && options.staleIfErrorSeconds > 0 && clock.monotonic() < known.staleUntilMs
    return isUsable ? { answer: known, isStale: true } : failure
  }

  function judge({ claims: said }: Answer, token: string): TokenOutcome {
    const claims = boundAsToken(said, token)
    if (claims === undefined) return denied('bound_token')
    const isOther = typeof claims.iss === 'string' && acceptsIssuers.includes(claims.iss)
    const rules = isOther ? { ...setup.rules, issuer: claims.iss as string } : setup.rules
    const type = typeof claims.token_type === 'string' ? claims.token_type.toLowerCase() : 'bearer'
    const mark = markOfOtherToken(PROFILES.relaxed, claims)
    if (mark !== undefined) return wrongType(claims.token_type, { claim: mark })
    // What is bound is refused with the claims, or checked later.
    if (type !== 'bearer' && type !== 'dpop') return wrongType(claims.token_type, { expected: ['bearer'] })
    const required = options.allowMissingAudience ? [] : ['aud']
    const times = checkClaims(claims, rules, required, clock.now())
    if ('outcome' in times) return times
    const { active: _active, ...rest } = claims
    const verdict = grantByClaims(rest, rules, times.expiresAt, 'introspection')
    return { outcome: 'verified', verdict, ...times, toleranceMs: rules.toleranceMs, keepUntilMs: undefined }
  }

  /** What is left of a verified JWT. What the answer does not say, the JWT has said. */
  function narrow({ claims }: Answer, verified: Verified): TokenOutcome {
    const { rules } = setup
    const { principal, detail } = verified.verdict
    const said = Object.entries(claims).filter(([, value]) => value !== undefined && value !== null)
    const times = checkClaims({ ...principal.claims, ...Object.fromEntries(said) }, rules, [], clock.now())
    if ('outcome' in times) return times
    const expiresAt = Math.min(
      times.expiresAt ?? Number.POSITIVE_INFINITY,
      verified.expiresAt ?? Number.POSITIVE_INFINITY,
    )
    const bound = mergeBinding(principal.claims, Object.fromEntries(said))
    if (bound === undefined) return denied('bound_token')
    const saysScopes = said.some(([name]) => rules.scopeClaims.includes(name))
    const left = saysScopes ? scopesOf(claims, rules.scopeClaims) : principal.scopes
    const scopes = principal.scopes.filter((scope) => left.includes(scope))
    const isSame = expiresAt === verified.expiresAt && scopes.length === principal.scopes.length
    if (isSame && bound === principal.claims) return verified
    const narrowed: OAuthBearerPrincipal = Object.freeze({
      ...principal,
      scopes: Object.freeze(scopes),
      expiresAt,
      claims: bound,
    })
    return { ...verified, verdict: Object.freeze(granted(narrowed, detail)), expiresAt }
  }

  /** An answer that is used because the endpoint fails is not cached again, and the event says so. */
  function conclude(reply: Reply, judgeAnswer: (answer: Answer) => TokenOutcome): TokenOutcome {
    if ('outcome' in reply) return reply
    const outcome = judgeAnswer(reply.answer)
    if (outcome.outcome !== 'verified') return outcome
    if (!reply.isStale) return { ...outcome, keepUntilMs: reply.answer.keepUntilMs }
    const { principal, detail } = outcome.verdict
    const attributes = { ...detail?.attributes, stale_answer_used: true }
    return { ...outcome, verdict: granted(principal, { ...detail, attributes }), keepUntilMs: undefined }
  }

  return {
    ask: (presented) =>
      andThen<Reply, TokenOutcome>(answerTo(presented, undefined), (reply) =>
        conclude(reply, (answer) => judge(answer, presented.token)),
      ),
    confirm: (presented, verified) =>
      andThen<Reply, TokenOutcome>(answerTo(presented, verified.verdict.principal.id), (reply) =>
        conclude(reply, (answer) => narrow(answer, verified)),
      ),
  }
}

const INACTIVE: NoAnswer = Object.freeze(denied<OAuthBearerReason>('inactive'))

/** Whose token it is, as far as the endpoint said. */
function holderOf({ sub, client_id: clientId }: JsonObject): string {
  return `${sub}|${clientId}`
}

/** The claims without the token itself, which some endpoints return as `jti`: the `jti` goes into the event. */
function withoutToken(claims: JsonObject, token: string): JsonObject {
  const others = Object.entries(claims).filter(([, value]) => value !== token)
  return Object.setPrototypeOf(Object.fromEntries(others), null) as JsonObject
}

function failed(failure: string, retryAfterSeconds: number): NoAnswer {
  return unavailable('introspection', { retryAfterSeconds, detail: { attributes: { failure } } })
}
