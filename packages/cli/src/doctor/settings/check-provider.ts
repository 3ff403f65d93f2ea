import { type Check, fail, pass, skip } from '../../checks.js'
import { type Add, checkCookies, type HeldLink, pageOf } from './check-link.js'
import { cookieLine, type VisitAnswer, type Visitor } from './visitor.js'

const ID = 'settings-provider'

/** Whether people sign in at a provider here; undefined when the routes do not get OPTIONS. */
async function hasProvider(visitor: Visitor, base: URL): Promise<boolean | undefined> {
  const has = async (page: string) => {
    const { status, allow } = await visitor.send(pageOf(base, page), { method: 'OPTIONS' })
    return status === 204 && allow.includes('GET')
  }
  if (!(await has('/open'))) return undefined
  return has('/oauth/start')
}

/**
 * Opens the link and comes back from the provider with a code that it never gave: what the app says then tells whether the
 * provider accepts the app. The session opens nothing, so no function of the app is called.
 */
export async function checkProvider(
  visitor: Visitor,
  base: URL,
  { token, cookieName }: HeldLink,
  code: string,
  issuer: string | undefined,
  add: Add,
): Promise<void> {
  const has = await hasProvider(visitor, base)
  if (has !== true) {
    const words = has === false ? 'the app has no provider' : 'not checked: OPTIONS does not reach the routes'
    return add(skip(ID, `${words}. The link was not used up`))
  }
  const opened = await visitor.send(pageOf(base, '/open'), { method: 'POST', fields: { token, code } })
  if (opened.status !== 200) return add(unexpected('the button of the link', opened))
  const started = await visitor.send(pageOf(base, '/oauth/start'))
  if (started.status === 503) {
    const remedy = "Check the issuer, and whether the app reaches the provider's metadata."
    return add(fail(ID, 'the app cannot send people to the provider (503)', remedy))
  }
  const { location } = started
  const state = location?.searchParams.get('state')
  if (started.status !== 302 || location === undefined || !state)
    return add(unexpected('the way to the provider', started))
  const cookies = checkCookies([...opened.setCookies, ...started.setCookies], cookieName)
  if (cookies !== undefined) return add(cookies)
  const callback = pageOf(base, '/oauth/callback')
  callback.searchParams.set('code', 'made-up-by-countersign-doctor')
  callback.searchParams.set('state', state)
  const iss = await responseIssuer(visitor, location, issuer)
  if (iss !== undefined) callback.searchParams.set('iss', iss)
  add(judge(await visitor.send(callback), location))
}

function judge(answer: VisitAnswer, { origin }: URL): Check {
  if (answer.status === 503) {
    const words = `${origin} does not accept the app, or cannot be reached from it (503)`
    const remedy =
      "Check the client id, its secret or key and when they expire; the app's warnings and its event name the cause."
    return fail(ID, words, remedy)
  }
  // The sign-in is taken, and its cookie deleted, only where the answer is to it.
  if (answer.status !== 403 || cookieLine(answer, '-tx', true) === undefined) return unexpected('a sign-in', answer)
  return pass(ID, `${origin} accepts the app, and refused a made-up code`)
}

function unexpected(what: string, { status }: VisitAnswer): Check {
  return fail(ID, `${what} got ${status}`, 'Let the proxy pass queries and cookies on, and see the events of the app.')
}

/**
 * `iss` of the provider's answers (RFC 9207), where its metadata says that they have it. The app knows the issuer; from here
 * it is that of the environment, or one above the authorization endpoint whose metadata names this endpoint.
 */
async function responseIssuer(visitor: Visitor, authorization: URL, issuer: string | undefined) {
  const endpoint = `${authorization.origin}${authorization.pathname}`
  const parts = authorization.pathname.split('/').slice(1, -1)
  const above = [...parts.keys(), parts.length].map((end) => ['', ...parts.slice(0, end)].join('/'))
  const places = above.map((path) => `${authorization.origin}${path}`)
  for (const place of issuer === undefined ? places : [issuer.replace(/\/$/, ''), ...places]) {
    const metadata = await metadataAt(visitor, `${place}/.well-known/openid-configuration`)
    if (metadata?.authorization_endpoint !== endpoint) continue
    if (metadata.authorization_response_iss_parameter_supported !== true) return undefined
    return typeof metadata.issuer === 'string' ? metadata.issuer : undefined
  }
  return undefined
}

async function metadataAt(visitor: Visitor, url: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return JSON.parse((await visitor.send(url)).body) as Readonly<Record<string, unknown>>
  } catch {
    // Not there: the next place is asked.
    return undefined
  }
}
