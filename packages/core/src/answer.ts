import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { type Challenge, formatChallenges } from './challenge.js'

/** What is sent to a client that is not let in. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
}

/** RFC 9457. `error` and `error_description` stand where OAuth clients read them. */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly detail?: string
  readonly error?: string
  readonly error_description?: string
  readonly [member: string]: unknown
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  413: 'Content Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export function titleOf(status: number): string {
  return TITLES[status] ?? 'Error'
}

/**
 * A refusal as `application/problem+json` (RFC 9457), never cached. Every 401 carries a challenge (RFC 9110 §15.5.2).
 */
export function problemAnswer(
  status: number,
  problem: Problem = {},
  challenges: readonly Challenge[] = [],
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Answer {
  const { type = 'about:blank', title = titleOf(status), ...rest } = problem
  const members: Problem = { type, title, status, ...rest }
  return {
    status,
    headers: {
      ...(challenges.length > 0 ? { 'WWW-Authenticate': formatChallenges(challenges) } : {}),
      ...headers,
      'Cache-Control': 'no-store',
      'Content-Type': 'application/problem+json; charset=utf-8',
    },
    // No member may tell of another status than the answer's.
    body: JSON.stringify({ ...members, status }),
  }
}

/**
 * The answer, when it can be sent as it is.
 *
 * @throws {TypeError} for a header that HTTP does not allow, before anything is written.
 */
export function checkAnswer(answer: Answer): Answer {
  for (const [name, value] of Object.entries(answer.headers)) {
    validateHeaderName(name)
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string]) {
      validateHeaderValue(name, one)
    }
  }
  return answer
}

/** Writes an answer, unless one is under way or the client has gone. Headers set before by others stay. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.writableEnded || response.destroyed) return
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value as string | string[])
  response.setHeader('Content-Length', Buffer.byteLength(answer.body))
  response.end(answer.body)
}
