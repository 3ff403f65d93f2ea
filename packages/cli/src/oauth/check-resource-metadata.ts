import { isScope, resourceMetadataUrl, resourceSpellings } from '@countersign/oauth-bearer/explain'
import { isAllowed } from './network.js'
import { ask, documentFlaw, type Metadata, parseAbsolute, type SmokeRun } from './smoke-run.js'

/** Checks the metadata of the resource (RFC 9728), and returns the issuers that it names. */
export async function checkResourceMetadata(run: SmokeRun, advertised: URL | undefined): Promise<readonly string[]> {
  const wellKnown = resourceMetadataUrl(run.url)
  const place = advertised?.href ?? wellKnown
  const metadata = await readMetadata(run, place)
  if (metadata === undefined) return []
  if (place !== wellKnown) await checkWellKnown(run, wellKnown, metadata)
  checkResource(run, metadata)
  checkMethods(run, metadata)
  checkScopes(run, metadata)
  checkAlgorithms(run, metadata)
  return checkServers(run, metadata)
}

async function readMetadata(run: SmokeRun, place: string): Promise<Metadata | undefined> {
  const id = 'metadata'
  const remedy = 'Serve the metadata of RFC 9728 there: app.use(oauth.metadata()).'
  const answer = await ask(run, id, remedy, place, { headers: { accept: 'application/json' } })
  if (answer === undefined) return undefined
  const flaw = documentFlaw(answer)
  if (flaw !== undefined) {
    run.fail(id, `${place}: ${flaw}`, remedy)
    return undefined
  }
  run.pass(id, `${place} is JSON`)
  if (answer.headers.get('access-control-allow-origin') === null) {
    run.warn('metadata-cors', 'it has no Access-Control-Allow-Origin', 'Clients in a browser cannot read it.')
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
  const other = answer.json?.resource
  if (flaw !== undefined) run.warn(id, `${wellKnown}: ${flaw}`, remedy)
  else if (other !== resource) run.fail(id, `${wellKnown} is about another resource: ${String(other)}`, remedy)
  else run.pass(id, `${wellKnown} has the same document`)
}

function checkResource(run: SmokeRun, { resource }: Metadata): void {
  const id = 'metadata-resource'
  const remedy = `It must be exactly "${run.url}" (RFC 9728 §3.3): clients refuse a document about another resource.`
  if (resource === run.url) run.pass(id, `resource is exactly ${run.url}`)
  else if (typeof resource !== 'string') run.fail(id, 'resource is missing', remedy)
  else if (resourceSpellings(run.url).includes(resource))
    run.pass(id, `resource is ${resource}: the same as ${run.url}`)
  else if (!isParent(resource, run.url)) run.fail(id, `resource is ${resource}`, remedy)
  else run.warn(id, `resource is ${resource}, a parent of the URL`, `${remedy} Some accept a parent.`)
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
  if (methods === undefined) run.skip(id, 'bearer_methods_supported is absent')
  else if (!Array.isArray(methods) || !methods.includes('header')) {
    const remedy = 'Clients send the token in Authorization: add "header".'
    run.fail(id, 'bearer_methods_supported lacks "header"', remedy)
  } else if (!methods.includes('query')) run.pass(id, `tokens are accepted in: ${methods.join(', ')}`)
  else run.warn(id, 'a token in the query is accepted', 'It ends up in logs and histories: remove "query".')
}

function checkScopes(run: SmokeRun, { scopes_supported: scopes }: Metadata): void {
  const id = 'metadata-scopes'
  const areScopes = Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string' && isScope(scope))
  if (scopes === undefined) run.skip(id, 'scopes_supported is absent')
  else if (!areScopes) {
    run.fail(id, 'scopes_supported is not a list of scopes', 'It is a list of strings without spaces (RFC 6749 §3.3).')
  } else if (!scopes.includes('offline_access')) run.pass(id, `scopes: ${scopes.join(' ') || 'none'}`)
  else run.warn(id, 'scopes_supported has offline_access', 'It is for the authorization server, not for the resource.')
}

/** The signature algorithms of proofs (RFC 9728 §2): with a secret, or without a signature, a proof proves nothing. */
function checkAlgorithms(run: SmokeRun, metadata: Metadata): void {
  const id = 'metadata-dpop'
  const { dpop_signing_alg_values_supported: algorithms, dpop_bound_access_tokens_required: isRequired } = metadata
  const remedy = 'It is a list of asymmetric signature algorithms (RFC 9449 §5.1, RFC 9728 §2).'
  if (algorithms === undefined) {
    if (isRequired === true)
      run.fail(id, 'bound tokens are required, and dpop_signing_alg_values_supported is absent', remedy)
    else run.skip(id, 'DPoP is not offered')
  } else if (!Array.isArray(algorithms) || algorithms.length === 0 || algorithms.some(isWeak)) {
    run.fail(id, `dpop_signing_alg_values_supported is ${JSON.stringify(algorithms)}`, remedy)
  } else run.pass(id, `DPoP is ${isRequired === true ? 'required' : 'accepted'}: ${algorithms.join(', ')}`)
}

function isWeak(algorithm: unknown): boolean {
  return typeof algorithm !== 'string' || /^(?:none|HS\d+)$/i.test(algorithm)
}

function checkServers(run: SmokeRun, { authorization_servers: servers }: Metadata): readonly string[] {
  const id = 'metadata-servers'
  if (!Array.isArray(servers) || servers.length === 0) {
    run.fail(id, 'authorization_servers is missing or empty', 'Name the issuer that clients get their tokens from.')
    return []
  }
  const issuers: string[] = servers.filter((server) => isIssuer(run, server))
  const wrong = servers.find((server) => !isIssuer(run, server))
  if (issuers.length === servers.length) run.pass(id, `authorization servers: ${servers.join(', ')}`)
  else {
    const remedy = 'It is an https URL without query and fragment (RFC 8414 §2).'
    run.fail(id, `not an issuer: ${JSON.stringify(wrong)}`, remedy)
  }
  return issuers
}

function isIssuer({ httpOrigins }: SmokeRun, server: unknown): server is string {
  const url = parseAbsolute(server)
  return url !== undefined && isAllowed(url, httpOrigins) && url.search === '' && url.hash === ''
}
