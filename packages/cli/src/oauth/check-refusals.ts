import { randomBytes } from 'node:crypto'
import { unavailableError } from '../errors.js'
import { isAllowed } from './network.js'
import { challengeParameter, isOAuth, type ParsedChallenge, parseChallenges } from './parse-challenges.js'
import { ask, exchange, firstRequest, type HttpAnswer, HttpFailure, parseAbsolute, type SmokeRun } from './smoke-run.js'

const NOT_401: Readonly<Record<number, string>> = {
  200: 'it accepts a request without a token: mount the gate before the handler',
  404: 'there is nothing at this URL: check its path',
  405: 'the URL does not accept this method: for a plain API use --api',
  500: 'the server failed: see its log',
  502: 'the proxy cannot reach the server',
  503: 'the server cannot verify tokens now: see its log',
}

/** Checks a request without a token, and returns the metadata URL of its challenge. */
export async function checkUnauthenticated(run: SmokeRun): Promise<URL | undefined> {
  const { url, isApi } = run
  let answer: HttpAnswer
  try {
    answer = await exchange(url, firstRequest(isApi), run)
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error
    throw unavailableError(`${url} cannot be reached (${error.message}): check the URL and that the server runs`, error)
  }
  if (answer.status !== 401) {
    const remedy = NOT_401[answer.status] ?? 'A request without a token must get 401 with a challenge (RFC 6750 §3).'
    run.fail('unauthenticated', `without a token the answer is ${answer.status}, not 401`, remedy)
    return undefined
  }
  run.pass('unauthenticated', 'without a token the answer is 401')
  return checkChallenge(run, answer)
}

function checkChallenge(run: SmokeRun, answer: HttpAnswer): URL | undefined {
  const challenge = challengeOf(run, answer)
  if (challenge === undefined) return undefined
  const scheme = challenge.scheme === 'dpop' ? 'DPoP' : 'Bearer'
  const error = challenge.parameters.get('error')
  if (error === undefined) run.pass('challenge', `the challenge is ${scheme}, without an error`)
  else {
    const remedy = 'A client without a token made no mistake: omit the error (RFC 6750 §3.1).'
    run.warn('challenge', `the challenge has error="${error}", though no token was sent`, remedy)
  }
  const id = 'challenge-metadata'
  const value = challenge.parameters.get('resource_metadata')
  if (value === undefined) {
    run.warn(id, 'the challenge has no resource_metadata', 'Clients then guess the well-known path (RFC 9728 §5.1).')
    return undefined
  }
  const metadata = parseAbsolute(value)
  if (metadata === undefined || !isAllowed(metadata, run.httpOrigins)) {
    run.fail(id, `resource_metadata is "${value}"`, 'It must be an absolute https URL (RFC 9728 §5.1).')
    return undefined
  }
  if (metadata.origin !== new URL(run.url).origin) {
    run.warn(id, `resource_metadata is on another origin: ${value}`, 'Clients may refuse to follow it.')
  } else run.pass(id, `resource_metadata is ${value}`)
  return metadata
}

function challengeOf(run: SmokeRun, answer: HttpAnswer): ParsedChallenge | undefined {
  const field = answer.headers.get('www-authenticate')
  const remedy = 'A 401 must carry WWW-Authenticate: Bearer … (RFC 6750 §3).'
  if (field === null) {
    run.fail('challenge', 'the 401 has no WWW-Authenticate', remedy)
    return undefined
  }
  const challenges = parseChallenges(field)
  if (challenges === undefined) {
    run.fail('challenge', 'WWW-Authenticate does not match its grammar', 'Quote its parameters (RFC 9110 §11.6.1).')
    return undefined
  }
  const ours = challenges.filter(isOAuth)
  const found = ours.find(({ parameters }) => parameters.has('resource_metadata')) ?? ours[0]
  if (found === undefined) {
    run.fail('challenge', `the challenge is ${challenges.map(({ scheme }) => scheme).join(', ')}, not Bearer`, remedy)
  } else if (challenges[0] !== found) {
    const words = `${found.scheme === 'dpop' ? 'DPoP' : 'Bearer'} comes after ${challenges[0]?.scheme}`
    run.warn('challenge-order', words, 'Some clients read only the first challenge.')
  }
  return found
}

/** Checks a random token. */
export async function checkMadeUpToken(run: SmokeRun): Promise<void> {
  const id = 'made-up-token'
  const authorization = `Bearer ${randomBytes(24).toString('base64url')}`
  const answer = await ask(run, id, 'Try again.', run.url, firstRequest(run.isApi, { authorization }))
  if (answer === undefined) return
  if (answer.status !== 401) {
    const remedy = 'An unknown token is 401 invalid_token (RFC 6750 §3.1).'
    return run.fail(id, `a made-up token gets ${answer.status}, not 401`, remedy)
  }
  const challenges = parseChallenges(answer.headers.get('www-authenticate') ?? '') ?? []
  const error = challengeParameter(challenges, 'error')
  const words = error === undefined ? 'no error' : `error="${error}"`
  if (error === 'invalid_token') run.pass(id, 'a made-up token is refused: 401 invalid_token')
  else run.warn(id, `a made-up token is refused with ${words}`, 'Add error="invalid_token" (RFC 6750 §3.1).')
}
