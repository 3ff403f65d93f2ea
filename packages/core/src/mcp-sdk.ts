import { isPromise } from './async.js'
import { CodedTypeError } from './errors.js'
import { type Gate, type GateDefinition, insideOf } from './gate/gate.js'
import type { PrincipalBase } from './gate/principal.js'
import type { Problem } from './gate/problem.js'
import { type DecisionContext, record } from './gate/record.js'
import { decisionOn } from './gate/thrown.js'
import { checkDecision, type Decision, type Denied, isDenied, type Verdict } from './gate/verdict.js'
import { memberOf } from './options/own.js'
import { resolveOptions } from './options/resolve.js'
import { option } from './options/rules.js'
import { UnavailableError } from './stores/unavailable-error.js'

/** What the MCP SDK calls `AuthInfo`: tools see it as `extra.authInfo` (v1) and `context.http.authInfo` (v2). */
export interface AuthInfo {
  /** The credential's public id, unless the token itself was asked for: a tool could pass it on. */
  token: string
  /** `''` when the principal does not say which client it is. */
  clientId: string
  scopes: string[]
  /** Seconds since the epoch. */
  expiresAt?: number
  resource?: URL
  extra?: Record<string, unknown>
}

/** A principal of a bearer gate, as far as {@link authInfoOf} looks at it. Times are milliseconds since the epoch. */
export interface BearerPrincipal extends PrincipalBase {
  readonly clientId?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly expiresAt?: number | undefined
  /** MCP credentials: the client that the credential was issued to, and what it may do. */
  readonly providerInstanceId?: string | undefined
  readonly capabilities?: readonly string[] | undefined
}

/** What {@link authInfoOf} says beyond the principal. */
export interface AuthInfoOptions {
  /** The token itself, for tools that exchange it. Default: the principal's id. */
  readonly token?: string | undefined
  readonly resource?: string | undefined
}

/**
 * A bearer principal in the MCP SDK's shape, with all of the principal in `extra`. A new object each time: the SDK and
 * tools may write to it.
 *
 * @example
 * request.auth = authInfoOf(principalOf(request, 'mcp-credential'))
 */
export function authInfoOf(principal: BearerPrincipal, options: AuthInfoOptions = {}): AuthInfo {
  const expiresAt = memberOf(principal, 'expiresAt')
  const resource = memberOf(options, 'resource')
  const info: AuthInfo = {
    token: memberOf(options, 'token') ?? principal.id,
    clientId: memberOf(principal, 'clientId') ?? memberOf(principal, 'providerInstanceId') ?? '',
    scopes: [...(memberOf(principal, 'scopes') ?? memberOf(principal, 'capabilities') ?? [])],
    extra: { ...principal },
  }
  if (expiresAt !== undefined) info.expiresAt = Math.floor(expiresAt / 1000)
  if (resource !== undefined) Object.defineProperty(info, 'resource', urlWhenRead(resource))
  return info
}

let lastResource: string | undefined
let lastUrl: PropertyDescriptor | undefined

/** A gate names one resource in each `AuthInfo`, and few handlers read it: to parse it costs 6 % of a decision (Node 24). */
function urlWhenRead(resource: string): PropertyDescriptor {
  if (lastUrl === undefined || resource !== lastResource) {
    // What is no URL is told now.
    void new URL(resource)
    lastUrl = lazily('resource', () => new URL(resource))
    lastResource = resource
  }
  return lastUrl
}

/** A property that is made when it is read first, and is one like any other from then on. */
function lazily<T>(name: string, make: () => T): PropertyDescriptor {
  const become = (owner: object, value: unknown) => {
    Object.defineProperty(owner, name, { value, configurable: true, enumerable: true, writable: true })
  }
  return {
    configurable: true,
    enumerable: true,
    get() {
      const value = make()
      // An app may have frozen its owner: then it is made at each read.
      if (Object.isExtensible(this)) become(this, value)
      return value
    },
    set(value) {
      become(this, value)
    },
  }
}

type ToError = (message: string) => Error

/** The port that the MCP SDK's `requireBearerAuth` asks. */
export interface OAuthTokenVerifier {
  verifyAccessToken(token: string): Promise<AuthInfo>
}

/** Options of {@link asOAuthTokenVerifier}. */
export interface OAuthTokenVerifierOptions {
  /**
   * Makes the error that the SDK answers with 401. Version 2 of the SDK knows the one that is made by default; version 1
   * wants its own: `(message) => new InvalidTokenError(message)`.
   */
  readonly invalidToken?: ToError | undefined
}

/**
 * Gives the MCP SDK's own `requireBearerAuth` the verification of a bearer gate, with all that the gate demands: audience,
 * scopes, capabilities. Each decision is one event. The SDK knows neither 403 nor 503: it answers a token without a
 * needed scope with 401, and an outage, which rejects with an {@link UnavailableError}, with 500. So the gate itself is
 * the better middleware.
 *
 * @throws {OptionError} for a wrong option.
 * @throws {TypeError} with code `ERR_COUNTERSIGN_NOT_A_BEARER_GATE` for what is not a bearer gate, or
 * `ERR_COUNTERSIGN_REQUEST_NEEDED` for one whose demands only a request can meet.
 * @example
 * app.post('/mcp', requireBearerAuth({ verifier: asOAuthTokenVerifier(oauth) }), handler)
 */
export function asOAuthTokenVerifier(gate: Gate, options: OAuthTokenVerifierOptions = {}): OAuthTokenVerifier {
  const resolved = resolveOptions('asOAuthTokenVerifier', options, { invalidToken: option.syncFunc<ToError>() })
  const { invalidToken = (message) => new InvalidTokenError(message) } = resolved
  const inside = insideOf(gate)
  const definition = inside?.definition
  const alone = definition?.withoutRequest
  if (inside === undefined || definition === undefined || alone === undefined) {
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_NOT_A_BEARER_GATE',
      'asOAuthTokenVerifier: the first argument must be a gate made by requireOAuthBearer or requireMcpCredential',
    )
  }
  const impossible = memberOf(alone, 'impossible')
  if (impossible !== undefined) {
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_REQUEST_NEEDED',
      `asOAuthTokenVerifier: this gate's "${impossible}" needs the request, which the MCP SDK does not pass on. Mount the gate itself, or create a gate without it for the adapter`,
    )
  }
  const { audit, clock } = inside
  const { name: kind, reasons } = definition
  return {
    async verifyAccessToken(token) {
      const startedMs = clock.monotonic()
      const decision = await decideOn(token, definition, alone)
      const latencyMs = clock.monotonic() - startedMs
      const standing = await tell(decision, { kind, reasons, audit, latencyMs })
      if (standing.outcome === 'granted') {
        const passesToken = memberOf(alone, 'passesToken') === true
        const resource = memberOf(alone, 'resource')
        return authInfoOf(standing.principal, { resource, token: passesToken ? token : undefined })
      }
      if (standing.outcome === 'denied') throw invalidToken(sentenceOf(standing, definition))
      if (standing.outcome === 'failed') throw standing.error
      const { dependency, retryAfterSeconds } = standing
      throw new UnavailableError(dependency, `${dependency} is unavailable`, { retryAfterSeconds })
    },
  }
}

/** Records a decision, or the bug that keeps it from being recorded. */
function tell(decision: Decision, context: DecisionContext): ReturnType<typeof record> {
  try {
    return record(decision, context)
  } catch (error) {
    return record({ outcome: 'failed', error }, context)
  }
}

type AnyDefinition = GateDefinition<unknown, PrincipalBase, string, string>

/** Read, verify and demand, as a gate does, of a token alone. */
async function decideOn(
  token: unknown,
  { verify, demand, dependencies }: AnyDefinition,
  { read }: NonNullable<AnyDefinition['withoutRequest']>,
): Promise<Decision> {
  try {
    const credential = read(typeof token === 'string' ? token : '')
    if (isDenied(credential)) return credential
    const verified = verify(credential, undefined)
    const verdict: Verdict = checkDecision(isPromise(verified) ? await verified : verified)
    if (verdict.outcome !== 'granted' || demand === undefined) return verdict
    return checkDecision(await demand(verdict, credential, undefined))
  } catch (error) {
    return decisionOn(error, dependencies)
  }
}

/** What the gate itself would answer. */
function sentenceOf({ reason, members }: Denied, { reasons }: AnyDefinition): string {
  const problem: Problem = { ...reasons[reason]?.problem, ...members }
  return problem.error_description ?? problem.detail ?? 'The credential is not valid here'
}

/** By these the MCP SDK recognises its errors across copies of itself. */
const BRANDS = Symbol.for('mcp.sdk.errorBrands')

/** An `invalid_token` in the shape that version 2 of the MCP SDK recognises. */
class InvalidTokenError extends Error {
  override readonly name = 'OAuthError'
  readonly code = 'invalid_token'

  constructor(message: string) {
    super(message)
    Object.defineProperty(this, BRANDS, { value: new Set(['mcp.OAuthError']) })
  }

  toResponseObject(): { error: string; error_description: string } {
    return { error: this.code, error_description: this.message }
  }
}
