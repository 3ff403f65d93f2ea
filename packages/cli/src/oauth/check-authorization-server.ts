import { type DiscoveryAttempt, discoverIssuer, summariseKeySet } from '@countersign/oauth-bearer/explain'
import { attemptsText } from './discovery.js'
import { isAllowed } from './network.js'
import { ask, documentFlaw, type Metadata, parseAbsolute, type SmokeRun } from './smoke-run.js'

/** Checks the metadata of an authorization server (RFC 8414), and returns it. */
export async function checkAuthorizationServer(run: SmokeRun, issuer: string): Promise<Metadata | undefined> {
  const { timeoutMs, signal, metadataUrl, connect } = run
  const found = await discoverIssuer(issuer, { timeoutMs, signal, metadataUrl, connect })
  signal.throwIfAborted()
  // A document of another issuer is checked, too.
  const { url, metadata } = found.metadata === undefined ? (found.attempts.find(hasMetadata) ?? {}) : found
  if (metadata === undefined) {
    const remedy = `Serve the metadata of "${issuer}" at one of these (RFC 8414 §3).`
    run.fail('server-metadata', attemptsText(found.attempts), remedy)
    return undefined
  }
  run.pass('server-metadata', `${url} is JSON`)
  checkIssuer(run, metadata, issuer)
  checkEndpoints(run, metadata)
  checkPkce(run, metadata)
  checkResponseTypes(run, metadata)
  checkRegistrationOffer(run, metadata)
  await checkKeys(run, metadata)
  return metadata
}

function hasMetadata({ metadata }: DiscoveryAttempt): boolean {
  return metadata !== undefined
}

function checkIssuer(run: SmokeRun, metadata: Metadata, issuer: string): void {
  const id = 'server-issuer'
  const remedy = `It must be exactly "${issuer}", as the resource names it: clients refuse any other (RFC 8414 §3.3).`
  if (metadata.issuer === issuer) run.pass(id, `issuer is exactly ${issuer}`)
  else run.fail(id, `issuer is ${JSON.stringify(metadata.issuer)}`, remedy)
}

function checkEndpoints(run: SmokeRun, metadata: Metadata): void {
  const id = 'server-endpoints'
  const flaws = ['authorization_endpoint', 'token_endpoint'].flatMap((name) => {
    const url = parseAbsolute(metadata[name])
    if (url === undefined) return [`${name} is ${metadata[name] === undefined ? 'missing' : 'not a URL'}`]
    return isAllowed(url, run.httpOrigins) ? [] : [`${name} is not https`]
  })
  if (flaws.length === 0) run.pass(id, 'authorization_endpoint and token_endpoint are https')
  else run.fail(id, flaws.join(', '), 'Clients need both (RFC 8414 §2), over https (RFC 6749 §3.1, §3.2).')
}

function checkPkce(run: SmokeRun, { code_challenge_methods_supported: methods }: Metadata): void {
  const id = 'server-pkce'
  const flaw = `code_challenge_methods_supported ${methods === undefined ? 'is missing' : 'lacks S256'}`
  if (Array.isArray(methods) && methods.includes('S256')) run.pass(id, 'PKCE with S256 is supported')
  else run.fail(id, flaw, 'MCP clients refuse a server whose metadata does not name PKCE with S256.')
}

function checkResponseTypes(run: SmokeRun, { response_types_supported: types }: Metadata): void {
  const id = 'server-response-types'
  const remedy = 'Clients that act for a person use the authorization code flow.'
  if (Array.isArray(types) && types.includes('code')) run.pass(id, 'response type code is supported')
  else run.fail(id, 'response_types_supported lacks "code"', remedy)
}

function checkRegistrationOffer(run: SmokeRun, metadata: Metadata): void {
  const id = 'server-registration'
  const { registration_endpoint: endpoint, client_id_metadata_document_supported: hasDocuments } = metadata
  const url = parseAbsolute(endpoint)
  if (url !== undefined && isAllowed(url, run.httpOrigins)) run.pass(id, `clients register at ${endpoint}`)
  else if (endpoint !== undefined) {
    run.fail(id, `registration_endpoint is ${JSON.stringify(endpoint)}`, 'It must be an https URL.')
  } else if (hasDocuments === true) run.pass(id, 'clients are identified by their metadata document')
  else run.warn(id, 'clients cannot register themselves', 'Give each client an id, or offer registration (RFC 7591).')
}

async function checkKeys(run: SmokeRun, { jwks_uri: uri }: Metadata): Promise<void> {
  const id = 'server-keys'
  const remedy = 'Without its keys no token can be verified (RFC 7517 §5).'
  const url = parseAbsolute(uri)
  if (uri === undefined) return run.skip(id, 'there is no jwks_uri: tokens must be introspected')
  if (url === undefined || !isAllowed(url, run.httpOrigins)) {
    return run.fail(id, `jwks_uri is ${JSON.stringify(uri)}`, 'It must be an https URL.')
  }
  const answer = await ask(run, id, remedy, url.href)
  if (answer === undefined) return
  const flaw = answer.status === 200 ? undefined : documentFlaw(answer)
  const keys = await summariseKeySet(answer.json)
  if (flaw !== undefined || keys === undefined || keys.total === 0) {
    run.fail(id, `${uri}: ${flaw ?? 'it holds no keys'}`, remedy)
  } else if (keys.hasPrivateKey) {
    run.fail(id, `${uri} publishes a private key`, 'Replace the key immediately, and publish only its public half.')
  } else if (keys.usable > 0) run.pass(id, `${uri} holds ${keys.total} ${keys.total === 1 ? 'key' : 'keys'}`)
  else {
    const remedy = 'Publish keys for signatures, of a supported kind and length (RFC 7518 §6).'
    run.warn(id, `${uri}: requireOAuthBearer can use none of its keys`, remedy)
  }
}
