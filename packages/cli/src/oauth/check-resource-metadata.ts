import { isSecureUrl } from '@countersign/core/gate-kit'
import { isScope, resourceMetadataUrl } from '@countersign/oauth-bearer/explain'
import { fail, pass, skip, warn } from '../checks.js'
import { ask, documentFlaw, type Metadata, parseAbsolute, type SmokeRun } from './smoke-run.js'

/** Checks the metadata of the resource (RFC 9728), and returns the issuers that it names. */
export async function checkResourceMetadata(run: SmokeRun, advertised: URL | undefined): Promise<readonly string[]> {
  const wellKnown = resourceMetadataUrl(run.url)
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
  const answer = await ask(run, id, remedy, place, { headers: { accept: 'application/json' } })
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

/** Clients that ignore the challenge read the well-known path: the document must be the same. */
async function checkWellKnown(run: SmokeRun, wellKnown: string, { resource }: Metadata): Promise<void> {
  const id = 'metadata-well-known'
  const remedy = 'Serve the same document there (RFC 9728 §3.1).'
  const answer = await ask(run, id, remedy, wellKnown)
  if (answer === undefined) return
  const flaw = documentFlaw(answer)
  if (flaw !== undefined) run.add(warn(id, `${wellKnown}: ${flaw}`, remedy))
  else if (answer.json?.resource !== resource) {
    run.add(fail(id, `${wellKnown} is about another resource: ${String(answer.json?.resource)}`, remedy))
  } else run.add(pass(id, `${wellKnown} has the same document`))
}

function checkResource(run: SmokeRun, { resource }: Metadata): void {
  const id = 'metadata-resource'
  const remedy = `It must be exactly "${run.url}" (RFC 9728 §3.3): clients refuse a document about another resource.`
  if (resource === run.url) run.add(pass(id, `resource is exactly ${run.url}`))
  else if (typeof resource !== 'string') run.add(fail(id, 'resource is missing', remedy))
  else if (isParent(resource, run.url)) {
    run.add(warn(id, `resource is ${resource}, a parent of the URL`, `${remedy} Some accept a parent.`))
  } else run.add(fail(id, `resource is ${resource}`, remedy))
}

/** Same origin, and a path that is a prefix in whole segments. */
function isParent(resource: string, url: string): boolean {
  const [parent, child] = [parseAbsolute(resource), new URL(url)]
  if (parent === undefined || parent.origin !== child.origin) return false
  const path = parent.pathname.endsWith('/') ? parent.pathname : `${parent.pathname}/`
  return child.pathname.startsWith(path) && parent.search === ''
}

function checkMethods(run: SmokeRun, { bearer_methods_supported: methods }: Metadata): void {
  const id = 'metadata-methods'
  if (methods === undefined) run.add(skip(id, 'bearer_methods_supported is absent'))
  else if (!Array.isArray(methods) || !methods.includes('header')) {
    run.add(
      fail(id, 'bearer_methods_supported lacks "header"', 'Clients send the token in Authorization: add "header".'),
    )
  } else if (methods.includes('query')) {
    run.add(warn(id, 'a token in the query is accepted', 'It ends up in logs and histories: remove "query".'))
  } else run.add(pass(id, `tokens are accepted in: ${methods.join(', ')}`))
}

function checkScopes(run: SmokeRun, { scopes_supported: scopes }: Metadata): void {
  const id = 'metadata-scopes'
  if (scopes === undefined) run.add(skip(id, 'scopes_supported is absent'))
  else if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === 'string' && isScope(scope))) {
    run.add(
      fail(id, 'scopes_supported is not a list of scopes', 'It is a list of strings without spaces (RFC 6749 §3.3).'),
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
    return url !== undefined && isSecureUrl(url) && url.search === '' && url.hash === ''
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
