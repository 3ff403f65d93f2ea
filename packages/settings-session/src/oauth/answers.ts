import { UnavailableError } from '@countersign/core'
import { isUnavailable, warnOnce } from '@countersign/core/gate-kit'
import type * as client from 'openid-client'
import { NoClientSecret } from './client-credential.js'
import type { ResolvedOAuth } from './oauth-options.js'

const MAX_ANSWER_BYTES = 1024 * 1024

/** What a token endpoint says of the code or of the person, in the words of RFC 6749 §5.2 and in some providers' own. */
const OF_THE_PERSON: readonly string[] = [
  'invalid_grant',
  'invalid_request',
  'access_denied',
  'login_required',
  'consent_required',
  'interaction_required',
  // GitHub
  'bad_verification_code',
  'unverified_user_email',
  // Slack
  'invalid_code',
  'code_already_used',
  // Twitch, whose answer has a message alone
  'invalid_authorization_code',
]

/** What a provider answers in the browser when it will not have the app's request (RFC 6749 §4.1.2.1, and others). */
const OF_THE_APP: readonly string[] = [
  'unauthorized_client',
  'invalid_client',
  'invalid_scope',
  'unsupported_response_type',
  'unsupported_response_mode',
  'redirect_uri_mismatch',
  'application_suspended',
  'unauthorized_scope_error',
]
const LATER: readonly string[] = ['server_error', 'temporarily_unavailable']

/**
 * `fetch` that reads an answer to its end: one that stops in the middle is an outage, as a fault of the provider's is. What
 * the token endpoint says is put into the words of RFC 6749.
 */
export function fetchAnswers({ mode, providerName }: ResolvedOAuth, tokenUrl?: string): client.CustomFetch {
  return async (url, options) => {
    const { status, headers, body } = await fetchWhole(url, options as RequestInit)
    if (url === tokenUrl) return tokenAnswer(status, headers, body, { mode, providerName })
    if (status === 200) return new Response(body, { status, headers })
    if (mode.kind === 'endpoints' && url === mode.userinfoUrl.href) {
      throw refusesApp(providerName, `its userinfo endpoint answered ${status}`, `status_${status}`)
    }
    throw unreachable(`the provider answered ${status}`)
  }
}

interface Whole {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer<ArrayBuffer>
}

async function fetchWhole(url: string, options: RequestInit): Promise<Whole> {
  let whole: Whole
  try {
    const response = await fetch(url, options)
    whole = { status: response.status, headers: response.headers, body: await bodyOf(response) }
  } catch (error) {
    throw unreachable('the provider sent an incomplete answer', error)
  }
  if (whole.status >= 500 || whole.status === 429) throw unreachable('the provider answered with a fault of its own')
  return whole
}

async function bodyOf({ body }: Response): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tokenAnswer(
  status: number,
  headers: Headers,
  body: Buffer<ArrayBuffer>,
  { mode, providerName }: Pick<ResolvedOAuth, 'mode' | 'providerName'>,
): Response {
  const answer = membersOf(body)
  const isGranted = status === 200 && answer.access_token !== undefined
  const error = isGranted ? undefined : errorIn(answer)
  if (error !== undefined || status !== 200) {
    const name = error ?? `status_${status}`
    if (OF_THE_PERSON.includes(name)) return Response.json({ error: name }, { status: 400 })
    throw refusesApp(providerName, `its token endpoint answered ${status}, ${name}`, name)
  }
  if (!isGranted) return new Response(body, { status, headers })
  if (mode.kind === 'endpoints') {
    // One thing is used of it. Some leave out the type, and some add an ID token that nobody asked for.
    const { access_token, token_type = 'Bearer' } = answer
    return Response.json({ access_token, token_type })
  }
  // Twitch: a list (RFC 6749 §5.1 has a text).
  const { scope } = answer
  return Response.json(Array.isArray(scope) ? { ...answer, scope: scope.join(' ') } : answer)
}

function membersOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** The error by its name; Twitch has a sentence in its place. What is no name is left out: nothing of it is repeated. */
function errorIn({ error, message }: Readonly<Record<string, unknown>>): string | undefined {
  const name = typeof error === 'string' ? error : typeof message === 'string' ? message : ''
  const word = name.toLowerCase().replaceAll(' ', '_')
  return /^[a-z_]{1,64}$/.test(word) ? word : undefined
}

/** The fault of the app or of the provider itself that an error tells of, however deep openid-client wrapped it. */
export function faultOf(error: unknown, providerName: string): UnavailableError | undefined {
  let current = error
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    if (isUnavailable(current)) return current
    if (current instanceof NoClientSecret) return refusesApp(providerName, current.message, 'client_secret')
    const { code, error: name } = current as { code?: unknown; error?: unknown }
    if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return unreachable('the provider was too slow', error)
    if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') return faultOfAnswer(String(name), providerName)
    current = current.cause
  }
  return undefined
}

function faultOfAnswer(name: string, providerName: string): UnavailableError | undefined {
  if (LATER.includes(name)) return unreachable(`the provider answered ${name}`)
  return OF_THE_APP.includes(name) ? refusesApp(providerName, `it sent the person back with ${name}`, name) : undefined
}

/** An outage of the provider. */
export function unreachable(message: string, cause?: unknown): UnavailableError {
  return new UnavailableError('oauth_provider', message, cause === undefined ? {} : { cause })
}

/** The provider does not accept the app: nobody can sign in until its operator has mended that. */
function refusesApp(providerName: string, what: string, name: string): UnavailableError {
  warnOnce({
    code: 'COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP',
    cause: `${providerName} ${name}`,
    message: `${providerName} does not accept this app, so nobody can sign in: ${what}`,
    remedy:
      'Check the client id, its secret or key and when they expire, the redirect URI and the scopes, at the provider and here.',
  })
  const cause = Object.assign(new Error(what), { code: name })
  return new UnavailableError('oauth_provider', 'the provider does not accept this app', { cause })
}
