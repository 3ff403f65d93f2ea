import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@countersign/core'
import {
  isBug,
  isPromise,
  LruMap,
  settle,
  type Unavailable,
  unavailable,
  unavailableBy,
  withDeadline,
} from '@countersign/core/gate-kit'
import type { OAuthBearerDependency } from '../reasons.js'
import type { Issuer } from './issuer.js'
import { ISSUER_NAME, type IssuerOptions } from './issuer-options.js'

/**
 * Finds the options of an issuer that a token names, or undefined for one that is not accepted. The name is a stranger's text:
 * the function looks it up and never builds options out of it. A throw is an outage, 503; a bug by decision 0006 is 500.
 */
export type FindIssuer = (issuer: string) => IssuerOptions | undefined | PromiseLike<IssuerOptions | undefined>

/** What {@link createRuntimeIssuers} needs. */
export interface RuntimeIssuersSetup {
  readonly find: FindIssuer
  /** How long `find` may take. */
  readonly timeoutMs: number
  /** How many issuers' keys and caches are kept; the one that was used last stays longest. */
  readonly maxIssuers: number
  /** Makes an issuer of its options, with the keys of `before` if nothing that concerns them has changed. */
  readonly make: (options: IssuerOptions, before: Issuer | undefined) => Issuer
  readonly clock: Clock
}

/** An issuer that was found, and until when that counts, on the monotonic clock. */
export interface FoundIssuer {
  readonly issuer: Issuer
  readonly untilMs: number
}

/** What is known of an issuer: undefined for one that is not accepted. */
export type IssuerAnswer = FoundIssuer | Unavailable<OAuthBearerDependency> | undefined

/** Answers what is known of the issuer with this name. */
export type FindRuntimeIssuer = (name: string) => IssuerAnswer | Promise<IssuerAnswer>

/** An answer counts for so long: then the app is asked again, so that it can withdraw an issuer. */
const KEEP_MS = 30_000
/** For how long an issuer that was found is used while the app's function fails. */
const STALE_MS = 3_600_000
const RETRY_MS = 5000
/** Questions at the same time about issuers that are not known. */
const MAX_QUESTIONS = 50

interface State extends FoundIssuer {
  readonly options: IssuerOptions
  readonly staleUntilMs: number
}

/**
 * Finds issuers by the app's function: one question for concurrent tokens of one issuer. Each has its own keys, caches and
 * circuits. Makes no promise for an issuer that is known.
 */
export function createRuntimeIssuers(setup: RuntimeIssuersSetup): FindRuntimeIssuer {
  const { find, timeoutMs, maxIssuers, make, clock } = setup
  const states = new LruMap<string, State>(maxIssuers)
  const questions = new Map<string, Promise<IssuerAnswer>>()

  function adopt(name: string, options: IssuerOptions | undefined): IssuerAnswer {
    const now = clock.monotonic()
    const before = states.get(name)
    const isSame = before !== undefined && isDeepStrictEqual(before.options, options)
    // A name that is nearly the token's is another name.
    const issuer = options == null ? undefined : isSame ? before.issuer : make(options, before?.issuer)
    if (options == null || issuer?.issuer !== name) {
      states.delete(name)
      return undefined
    }
    const state = { options, issuer, untilMs: now + KEEP_MS, staleUntilMs: now + STALE_MS }
    states.set(name, state)
    return state
  }

  function withoutAnswer(name: string, error: unknown): IssuerAnswer {
    const now = clock.monotonic()
    const before = states.get(name)
    if (before === undefined || isBug(error) || now >= before.staleUntilMs) return unavailableBy(error, 'verifier')
    const state = { ...before, untilMs: now + RETRY_MS }
    states.set(name, state)
    return state
  }

  return (name) => {
    const known = states.get(name)
    if (known !== undefined && clock.monotonic() < known.untilMs) return known
    const pending = questions.get(name)
    if (pending !== undefined) return pending
    if (!ISSUER_NAME.test(name)) return undefined
    if (known === undefined && questions.size >= MAX_QUESTIONS) return BUSY
    const answer = settle<IssuerOptions | undefined, IssuerAnswer>(
      () => {
        const found = find(name)
        return isPromise(found) ? withDeadline(found, timeoutMs, 'verifier') : found
      },
      (options) => adopt(name, options),
      (error) => withoutAnswer(name, error),
    )
    if (!isPromise(answer)) return answer
    const asked = Promise.resolve(answer).finally(() => questions.delete(name))
    questions.set(name, asked)
    return asked
  }
}

const BUSY: IssuerAnswer = Object.freeze(
  unavailable<OAuthBearerDependency>('verifier', {
    retryAfterSeconds: 1,
    detail: { attributes: { failure: 'bulkhead' } },
  }),
)
