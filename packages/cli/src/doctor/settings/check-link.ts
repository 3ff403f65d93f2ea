import { type Check, fail, pass } from '../../checks.js'
import { cookieLine, type VisitAnswer, type Visitor } from './visitor.js'

const CHALLENGE = 'Countersign-Settings-Session'
const MOUNT = 'settings-mount'
const ORDER = 'settings-order'
const COOKIES = 'settings-cookies'
const STORE = 'settings-store'

/** What the steps of the visit add to the report. */
export type Add = (check: Check) => void

/** The address of a page below the base. */
export function pageOf(base: URL, page: string): URL {
  return new URL(`${base.pathname.replace(/\/$/, '')}${page}`, base)
}

/** A link that a browser has open. */
export interface HeldLink {
  /** Of the form of its page. */
  readonly token: string
  /** The name of the session's cookie, with which those of the others begin. */
  readonly cookieName: string
}

/** Follows the link as a browser does until its page has a button; undefined after a check that failed. */
export async function followLink(visitor: Visitor, base: URL, link: string, add: Add): Promise<HeldLink | undefined> {
  const received = await visitor.send(link)
  const found = checkArrival(received, base)
  add(found)
  if (found.status !== 'pass') return undefined
  add(pass(STORE, 'the app knows a link that was made here: same Redis, same namespace'))
  const cookieName = /^[^=]*(?=-open=)/.exec(cookieLine(received, '-open') ?? '')?.[0] ?? ''
  const cookies = checkCookies(received.setCookies, cookieName)
  if (cookies !== undefined) {
    add(cookies)
    return undefined
  }
  const open = pageOf(base, '/open')
  const page = await visitor.send(open)
  const token = / name="token" value="([^"]+)"/.exec(page.body)?.[1]
  // A proxy may put Location right; nothing puts the page right.
  const action = / action="([^"]*\/open)"/.exec(page.body)?.[1]
  if (action !== undefined && new URL(action, open).href !== open.href) {
    add(
      fail(
        MOUNT,
        `the form of the link's page leads to ${action}, not to ${open.pathname}`,
        `Set baseUrl to ${base.href}.`,
      ),
    )
    return undefined
  }
  if (page.status === 200 && token !== undefined) {
    add(pass(COOKIES, 'Secure, HttpOnly, Path=/ and SameSite arrive, and the cookie comes back'))
    return { token, cookieName }
  }
  const isLost = page.status === 401
  const words = isLost ? 'the cookie does not come back to the app' : `the page of the link got ${page.status}`
  add(
    isLost
      ? fail(COOKIES, words, 'Let the proxy pass on Cookie and Set-Cookie, unchanged.')
      : fail(MOUNT, words, `Let the proxy pass everything below ${base.pathname} on to the app.`),
  )
  return undefined
}

/** What the gate and the routes refuse with; a proxy has pages of its own. */
function isProblem({ contentType }: VisitAnswer): boolean {
  return contentType.startsWith('application/problem+json')
}

/** What the answer to a link tells of the way there. */
function checkArrival(answer: VisitAnswer, base: URL): Check {
  const { status, location, challenge } = answer
  const [here, open] = [base.pathname, pageOf(base, '/open')]
  if (status === 303 && location?.pathname.endsWith('/open')) {
    if (location.href === open.href) return pass(MOUNT, `a link is received at ${here}`)
    const words = `a link received at ${here} leads on to ${location.origin === base.origin ? '' : location.origin}${location.pathname}`
    return fail(MOUNT, words, `Set baseUrl to ${base.href}, and let the proxy leave Location as it is.`)
  }
  if (status === 400 && isProblem(answer)) {
    return fail(
      ORDER,
      'the gate refuses a link (400): it runs before the routes',
      'Mount settings.routes() before the gate.',
    )
  }
  if (status === 503) {
    return fail(STORE, 'the app cannot reach its store (503)', "Check the app's own connection to Redis.")
  }
  if (status === 401 && challenge.includes(CHALLENGE)) {
    if (cookieLine(answer, '-open', true) !== undefined) {
      const remedy =
        'Run this with the REDIS_URL and the namespace of the app; the app must not keep sessions in memory.'
      return fail(STORE, 'the app does not know a link that was made here (401)', remedy)
    }
    const remedy = 'Let the proxy pass the query on, and mount settings.routes() before the gate.'
    return fail(MOUNT, 'the gate answered 401 and saw no link: the query was lost', remedy)
  }
  const words = status === 404 ? `there is nothing at ${here} (404)` : `a link got ${status}`
  const remedy = `Mount settings.routes() so that ${here} reaches it: the proxy may strip or keep a prefix.`
  return fail(MOUNT, words, remedy)
}

/**
 * What browsers would not keep of our cookies, as they arrive (RFC 6265bis); undefined when they keep them. The app's others
 * are its own matter: ours are those of this name, and of this name with an ending.
 */
export function checkCookies(lines: readonly string[], name: string): Check | undefined {
  const own = lines.filter((line) => /^(-open|-tx)?=/.test(line.startsWith(name) ? line.slice(name.length) : ''))
  const faults = own.length === 0 ? ['none arrives'] : Array.from(new Set(own.flatMap(faultsOf)))
  if (faults.length === 0) return undefined
  const words = `browsers drop the cookies, or expose them: ${faults.join(', ')}`
  return fail(COOKIES, words, 'Let the proxy leave Set-Cookie as it is: its path, its domain, its flags.')
}

function faultsOf(line: string): string[] {
  const [, ...rest] = line.split(';').map((part) => part.trim().toLowerCase())
  const attributes = new Map(rest.map((part) => [part.split('=', 1)[0] ?? '', part.replace(/^[^=]*=?/, '')]))
  const [path, sameSite] = [attributes.get('path'), attributes.get('samesite')]
  return [
    ...(line.startsWith('__Host-') ? [] : ['a name without __Host-']),
    ...(attributes.has('secure') ? [] : ['no Secure']),
    ...(attributes.has('httponly') ? [] : ['no HttpOnly']),
    ...(path === '/' ? [] : [`Path=${path ?? ''}`]),
    ...(attributes.has('domain') ? ['a Domain'] : []),
    ...(sameSite === 'lax' || sameSite === 'strict' ? [] : [`SameSite=${sameSite ?? ''}`]),
  ]
}

/**
 * Sends the form of the link's page without its digits, which opens nothing and costs no attempt: whether the app takes the
 * page for its own, and reads its form. True when it does.
 */
export async function sendForm(visitor: Visitor, base: URL, { token }: HeldLink, add: Add): Promise<boolean> {
  const open = pageOf(base, '/open')
  const fields = { token, code: '' }
  // The page again, with what is missing. A form that is not accepted gets a problem document.
  const isRead = ({ status, body }: VisitAnswer) => status === 403 && body.includes(token)
  const sent = await visitor.send(open, { method: 'POST', fields })
  if (isRead(sent)) {
    add(pass('settings-host', `the app accepts ${base.origin} as its own origin, and reads its forms`))
    return true
  }
  if (sent.status !== 403 || !isProblem(sent)) {
    const words = `the form of the link's page got ${sent.status}`
    add(fail(MOUNT, words, `Let the proxy pass POST below ${base.pathname} on to the app.`))
  } else if (isRead(await visitor.send(open, { method: 'POST', fields, saysOrigin: false }))) {
    const words = `the app does not accept ${base.origin} as its own origin (403): its baseUrl has another origin`
    add(fail('settings-host', words, `Set baseUrl to ${base.href}. The Host that the proxy sends does not matter.`))
  } else {
    const words = 'the app does not get the form of its own page (403): something reads it before the routes'
    add(fail(ORDER, words, 'Mount settings.routes() before body parsers, or let them parse forms.'))
  }
  return false
}

/** Whether pages below the base are behind the gate. The path is one that no app has. */
export async function checkGate(visitor: Visitor, base: URL, unused: string): Promise<Check> {
  const { status, challenge } = await visitor.send(pageOf(base, unused))
  const id = ORDER
  if (status === 401 && challenge.includes(CHALLENGE)) return pass(id, 'routes before the gate, pages behind it')
  const words = `an unused page below ${base.pathname} got ${status}, and not from the gate`
  return fail(id, words, `Mount requireSettingsSession at ${base.pathname}, after the routes and before every page.`)
}
