import { fail, pass, skip, warn } from '../checks.js'
import { exchange, type HttpAnswer, isSecure, parseAbsolute } from './http.js'
import { answerOf, type SmokeRun } from './smoke-run.js'

type Metadata = Readonly<Record<string, unknown>>

/** RFC 9728 §3.1: the well-known part goes between host and path. */
export function wellKnownOf(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`
}

/** The metadata of the resource (RFC 9728). Returns the issuers that it names. */
export async function checkResourceMetadata(run: SmokeRun, advertised: URL | undefined): Promise<readonly string[]> {
  const wellKnown = wellKnownOf(run.url)
  const place = advertised?.href ?? wellKnown
  const metadata = await readMetadata(run, 'metadata', place)
  if (metadata === undefined) return []
  if (place !== wellKnown) await checkWellKnown(run, wellKnown, metadata)
  checkResource(run, metadata)
  checkMethods(run, metadata)
  checkScopes(run, metadata)
  return checkServers(run, metadata)
}

async function readMetadata(run: SmokeRun, id: string, place: string): Promise<Metadata | undefined> {
  const remedy = 'Serve the metadata of RFC 9728 there: app.use(oauth.metadata()).'
  const answer = await answerOf(run, id, remedy, () =>
    exchange(place, { headers: { accept: 'application/json' } }, run.http),
  )
  if (answer === undefined) return undefined
  const flaw = documentFlaw(answer)
  if (flaw !== undefined) {
    run.add(fail(id, `${place}: ${flaw}`, remedy))
    return undefined
  }
  run.add(pass(id, `${place} is JSON`))
  if (answer.headers.get('access-control-allow-origin') === null) {
    run.add(warn(`${id}-cors`, 'it has no Access-Control-Allow-Origin', 'Clients in a browser cannot read it.'))
  }
  return answer.json
}

/** Why an answer is no metadata document. */
export function documentFlaw({ status, headers, json }: HttpAnswer): string | undefined {
  if (status !== 200) return `the answer is ${status}`
  if (!/^application\/([a-z.-]+\+)?json\b/i.test(headers.get('content-type') ?? '')) {
    return `its content type is ${headers.get('content-type') ?? 'missing'}, not application/json`
  }
  return json === undefined ? 'it is not a JSON object' : undefined
}

/** Clients that do not read the challenge go to the well-known path: it must say the same. */
async function checkWellKnown(run: SmokeRun, wellKnown: string, { resource }: Metadata): Promise<void> {
  const id = 'metadata-well-known'
  const remedy = 'Serve the same document there (RFC 9728 §3.1).'
  const answer = await answerOf(run, id, remedy, () => exchange(wellKnown, {}, run.http))
  if (answer === undefined) return
  const flaw = documentFlaw(answer)
  if (flaw !== undefined) run.add(warn(id, `${wellKnown}: ${flaw}`, remedy))
  else if (answer.json?.resource !== resource) {
    run.add(fail(id, `${wellKnown} is of another resource: ${String(answer.json?.resource)}`, remedy))
  } else run.add(pass(id, `${wellKnown} says the same`))
}

function checkResource(run: SmokeRun, { resource }: Metadata): void {
  const id = 'metadata-resource'
  const remedy = `It must be exactly "${run.url}" (RFC 9728 §3.3): clients refuse a document of another resource.`
  if (resource === run.url) run.add(pass(id, `resource is exactly ${run.url}`))
  else if (typeof resource !== 'string') run.add(fail(id, 'resource is missing', remedy))
  else if (isParent(resource, run.url)) {
    run.add(warn(id, `resource is ${resource}, a parent of the URL`, `${remedy} Some accept a parent.`))
  } else run.add(fail(id, `resource is ${resource}`, remedy))
}

/** Same origin, and a path above on a segment's border. */
function isParent(resource: string, url: string): boolean {
  const [parent, child] = [parseAbsolute(resource), new URL(url)]
  if (parent === undefined || parent.origin !== child.origin) return false
  const path = parent.pathname.endsWith('/') ? parent.pathname : `${parent.pathname}/`
  return child.pathname.startsWith(path) && parent.search === ''
}

function checkMethods(run: SmokeRun, { bearer_methods_supported: methods }: Metadata): void {
  const id = 'metadata-methods'
  if (methods === undefined) run.add(skip(id, 'bearer_methods_supported is not said'))
  else if (!Array.isArray(methods) || !methods.includes('header')) {
    run.add(
      fail(id, 'bearer_methods_supported lacks "header"', 'Clients send the token in Authorization: say "header".'),
    )
  } else if (methods.includes('query')) {
    run.add(warn(id, 'a token in the query is accepted', 'It ends up in logs and histories: take "query" out.'))
  } else run.add(pass(id, `tokens are taken in: ${methods.join(', ')}`))
}

function checkScopes(run: SmokeRun, { scopes_supported: scopes }: Metadata): void {
  const id = 'metadata-scopes'
  if (scopes === undefined) run.add(skip(id, 'scopes_supported is not said'))
  else if (
    !Array.isArray(scopes) ||
    !scopes.every((scope) => typeof scope === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
  ) {
    run.add(
      fail(id, 'scopes_supported is no list of scopes', 'It is a list of strings without spaces (RFC 6749 §3.3).'),
    )
  } else if (scopes.includes('offline_access')) {
    run.add(
      warn(id, 'scopes_supported has offline_access', 'It is for the authorization server, not for the resource.'),
    )
  } else run.add(pass(id, `scopes: ${scopes.join(' ') || 'none'}`))
}

function checkServers(run: SmokeRun, { authorization_servers: servers }: Metadata): readonly string[] {
  const id = 'metadata-servers'
  if (!Array.isArray(servers) || servers.length === 0) {
    run.add(
      fail(id, 'authorization_servers is missing or empty', 'Name the issuer that clients get their tokens from.'),
    )
    return []
  }
  const isIssuer = (server: unknown): server is string => {
    const url = parseAbsolute(server)
    return url !== undefined && isSecure(url) && url.search === '' && url.hash === ''
  }
  const wrong = servers.filter((server) => !isIssuer(server))
  if (wrong.length > 0) {
    run.add(
      fail(
        id,
        `not an issuer: ${JSON.stringify(wrong[0])}`,
        'It is an https URL without query and fragment (RFC 8414 §2).',
      ),
    )
  } else run.add(pass(id, `authorization servers: ${servers.join(', ')}`))
  return servers.filter(isIssuer)
}
