import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { memberOf } from '../options/own.js'
import { type Challenge, formatChallenges } from './challenge.js'
import { type Problem, titleOf } from './problem.js'
import type { ReasonTable } from './reasons.js'
import type { Denied, Refusal } from './verdict.js'

/** What is sent to a client whose request is not granted: an object until {@link sendAnswer} writes its bytes. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number
  /** The header fields; a list stands for one field sent more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** The problem document (RFC 9457). */
  readonly problem: Problem
  /** Sent in place of the problem document, as the `Content-Type` in `headers` says: a page, a JSON-RPC error. */
  readonly body?: string | undefined
}

/** What {@link answer} needs of a gate. */
export interface AnswerContext<R extends string = string> {
  /** The kind of the gate: the challenge of a 401 that has no other. */
  readonly kind: string
  readonly reasons: ReasonTable<R>
  readonly challenge: (denied: Denied<R>) => readonly Challenge[]
}

/**
 * The answer to a refusal: 400, 401, 403, 404, 413, 415 or 429 by the table of reasons; 503 with `Retry-After` and no challenge, for a
 * 401 would make clients drop good credentials; 500 without detail.
 *
 * @throws {TypeError} for a reason that the table does not have, or members that JSON cannot hold.
 */
export function answer<R extends string>(refusal: Refusal<R>, context: AnswerContext<R>): Answer {
  if (refusal.outcome === 'failed') return problemAnswer(500)
  if (refusal.outcome === 'unavailable') {
    return problemAnswer(503, {}, [], { 'Retry-After': retryAfter(refusal.retryAfterSeconds) })
  }
  const { kind, reasons, challenge } = context
  const entry = Object.hasOwn(reasons, refusal.reason) ? reasons[refusal.reason] : undefined
  if (entry === undefined) throw new TypeError(`the table of reasons does not have "${refusal.reason}"`)
  JSON.stringify(refusal.members)
  const challenges = challenge(refusal)
  const challenged = entry.status === 401 && challenges.length === 0 ? [{ scheme: kind }] : challenges
  const wait = entry.status === 429 ? { 'Retry-After': retryAfter(refusal.retryAfterSeconds) } : undefined
  const headers = { ...wait, ...refusal.headers }
  return problemAnswer(entry.status, { ...entry.problem, ...refusal.members }, challenged, headers)
}

function retryAfter(seconds = 1): string {
  return String(Number.isFinite(seconds) ? Math.min(86_400, Math.max(1, Math.ceil(seconds))) : 1)
}

/**
 * A refusal as `application/problem+json` (RFC 9457), never cached. Every 401 carries a challenge (RFC 9110 §15.5.2).
 */
export function problemAnswer(
  status: number,
  problem: Problem = {},
  challenges: readonly Challenge[] = [],
  headers: Answer['headers'] = {},
): Answer {
  // No member may state another status than the answer's.
  const { type = 'about:blank', title = titleOf(status), status: _stated, ...rest } = problem
  return {
    status,
    headers: {
      ...(challenges.length > 0 ? { 'WWW-Authenticate': formatChallenges(challenges) } : {}),
      ...headers,
      'Cache-Control': 'no-store',
      'Content-Type': 'application/problem+json; charset=utf-8',
    },
    problem: { type, title, status, ...rest },
  }
}

/**
 * The answer, when it can be sent as it is.
 *
 * @throws {TypeError} for a status or a header that HTTP does not allow, or a problem that JSON cannot hold, before
 * anything is written.
 */
export function checkAnswer(checked: Answer): Answer {
  const { status, problem } = checked
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`the status of an answer must be an integer from 200 to 599, got ${String(status)}`)
  }
  if (memberOf(checked, 'body') === undefined) JSON.stringify(problem)
  for (const [name, value] of Object.entries(checked.headers)) {
    validateHeaderName(name)
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string]) {
      validateHeaderValue(name, one)
    }
  }
  return checked
}

/** Whether somebody else has answered, or the client has gone: nothing can be sent any more. */
export function isOver(response: ServerResponse): boolean {
  return response.headersSent || response.writableEnded || response.destroyed
}

/** Writes an answer, unless the response {@link isOver}. Headers set before by others stay. */
export function sendAnswer(response: ServerResponse, sent: Answer): void {
  if (isOver(response)) return
  const body = memberOf(sent, 'body') ?? JSON.stringify(sent.problem)
  response.statusCode = sent.status
  for (const [name, value] of Object.entries(sent.headers)) response.setHeader(name, value as string | string[])
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(body)
}
