import type { Clock } from '@countersign/core'
import {
  type Denied,
  denied,
  type Granted,
  inSeconds,
  listed,
  settle,
  type Unavailable,
  unavailableBy,
  type VerdictDetail,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { carriesBody, isJson, isOwnRequest, isOwnUpgrade, isPlainText, opensConnection } from './csrf.js'
import { principalId, principalOfSession, type SettingsSessionPrincipal } from './principal.js'
import type { SettingsSessionDependency, SettingsSessionReason, SettingsSessionVerdict } from './reasons.js'
import type { ReadResult, SettingsStore, StoredSession, StoreRefusal } from './store/port.js'
import type { Token } from './tokens.js'

/** What verifies a session. */
export interface SessionVerifier {
  readonly store: Pick<SettingsStore, 'read'>
  readonly clock: Clock
  /** The path where people prove who they are; undefined where a link is enough. */
  readonly signInPath: string | undefined
}

/** What one gate demands of a request, beyond a session that lives. */
export interface SessionDemands {
  /** The origin that unsafe requests must come from. */
  readonly origin: string
  /** Whether unsafe requests must have a body of `application/json`. */
  readonly requireJson: boolean
  /** The kinds of links whose sessions are accepted. */
  readonly kinds: readonly string[]
  /** Milliseconds that the person's verification may be old; undefined for any age. */
  readonly maxAuthAgeMs: number | undefined
}

/** A session that was verified: the verdict, and the session for what each gate demands. */
export interface VerifiedSession extends Granted<SettingsSessionPrincipal> {
  readonly session: StoredSession
  /** Whose demands of the request {@link judgeRequest} has found met. */
  readonly judgedFor: SessionDemands
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Whether a request may act on its session: an unsafe one (RFC 9110 §9.2.1), and an upgrade whatever its method, must
 * come from our own pages. Judged before the store is asked, because a request of another site must not keep a session
 * alive.
 */
function judgeRequest(
  { text }: Token,
  request: Request,
  { origin, requireJson }: SessionDemands,
): Denied<SettingsSessionReason> | undefined {
  if (opensConnection(request)) return isOwnUpgrade(request, origin) ? undefined : denied('cross_site')
  if (SAFE.has(request.method)) return undefined
  if (!isOwnRequest(request, origin, text)) return denied('cross_site')
  const isReadable = requireJson ? isJson(request) || !carriesBody(request) : !isPlainText(request)
  return isReadable ? undefined : denied('unsupported_body')
}

/** Judges the request, then asks the store for the session of a token, once. */
export function verifySession(
  token: Token,
  request: Request,
  demands: SessionDemands,
  { store, clock, signInPath }: SessionVerifier,
): SessionOutcome | Promise<SessionOutcome> {
  const refusal = judgeRequest(token, request, demands)
  if (refusal !== undefined) return refusal
  const startedMs = clock.monotonic()
  const detail = (): VerdictDetail => ({ credential: { id: token.tag }, storeMs: clock.monotonic() - startedMs })
  return settle<ReadResult, SessionOutcome>(
    () => store.read(token),
    (result) => verdictOn(result, demands, signInPath, detail()),
    (error) => unavailableBy(error, 'session_store', detail()),
  )
}

/** What the store's answer about a session means. */
export type SessionOutcome = VerifiedSession | Denied<SettingsSessionReason> | Unavailable<SettingsSessionDependency>

function verdictOn(
  result: ReadResult,
  judgedFor: SessionDemands,
  signInPath: string | undefined,
  detail: VerdictDetail,
): SessionOutcome {
  if (result.outcome === 'refused') return refusedBy(result, detail)
  const { session } = result
  if (!isWhole(session, signInPath !== undefined)) {
    const known = { ...detail, principalId: principalId(session.user) }
    return denied('awaiting_identity', { detail: known, members: whereToSignIn(signInPath) })
  }
  return { outcome: 'granted', principal: principalOfSession(session), detail, session, judgedFor }
}

/** The denial of what a store refuses; its event says for how long that has been late. */
export function refusedBy<R extends SettingsSessionReason>(
  { reason, lateMs }: StoreRefusal<R>,
  detail?: VerdictDetail,
): Denied<R> {
  if (lateMs === undefined) return denied(reason, { detail })
  return denied(reason, { detail: { ...detail, attributes: { late_by_seconds: inSeconds(lateMs) } } })
}

/**
 * Whether a session opens anything. One that became active without an identity, at another registry on the same store,
 * is half a session where identity is required: a stolen link could be opened over there and its cookie renamed.
 */
export function isWhole({ state, identity }: StoredSession, needsIdentity: boolean): boolean {
  return state === 'active' && (!needsIdentity || identity !== undefined)
}

/** What a gate demands of a verified session. Runs for each gate, on what an earlier gate verified, too. */
export function meetDemands(
  verdict: VerifiedSession,
  token: Token,
  request: Request,
  demands: SessionDemands,
  signInPath: string | undefined,
): SettingsSessionVerdict {
  const refusal =
    (verdict.judgedFor === demands ? undefined : judgeRequest(token, request, demands)) ??
    judgeSession(verdict.session, demands, signInPath)
  if (refusal === undefined) return verdict
  return { ...refusal, detail: { ...verdict.detail, ...refusal.detail, principalId: verdict.principal.id } }
}

function judgeSession(
  { kind, verifiedMsAgo }: StoredSession,
  { kinds, maxAuthAgeMs }: SessionDemands,
  signInPath: string | undefined,
): Denied<SettingsSessionReason> | undefined {
  if (!kinds.includes(kind)) {
    return denied('wrong_kind', { detail: { attributes: { kind, expected_kinds: listed(kinds) } } })
  }
  if (maxAuthAgeMs === undefined || verifiedMsAgo <= maxAuthAgeMs) return undefined
  const attributes = { age_seconds: inSeconds(verifiedMsAgo), max_age_seconds: inSeconds(maxAuthAgeMs) }
  return denied('stale', { detail: { attributes }, members: whereToSignIn(signInPath) })
}

/** Where the person proves who they are. Without a provider it takes a new link, from the chat. */
function whereToSignIn(signInPath: string | undefined): Readonly<Record<string, string>> {
  return signInPath === undefined ? {} : { reauthenticate: signInPath }
}
