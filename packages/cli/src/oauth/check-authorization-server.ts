import { isSecureUrl } from '@countersign/core/gate-kit'
import { type DiscoveryAttempt, discoverIssuer, summariseKeySet } from '@countersign/oauth-bearer/explain'
import { fail, pass, skip, warn } from '../checks.js'
import { attemptsText } from './discovery.js'
import { ask, documentFlaw, type Metadata, parseAbsolute, type SmokeRun } from './smoke-run.js'

/** Checks the metadata of an authorization server (RFC 8414), and returns it. */
export async function checkAuthorizationServer(run: SmokeRun, issuer: string): Promise<Metadata | undefined> {
  const { timeoutMs, signal } = run
  const found = await discoverIssuer(issuer, { timeoutMs, signal })
  signal.throwIfAborted()
  // A document of another issuer is checked, too.
  const { url, metadata } = found.metadata === undefined ? (found.attempts.find(hasMetadata) ?? {}) : found
  if (metadata === undefined) {
    const remedy = `Serve the metadata of "${issuer}" at one of these (RFC 8414 §3).`
    run.add(fail('server-metadata', attemptsText(found.attempts), remedy))
    return undefined
  }
  run.add(pass('server-metadata', `${url} is JSON`))
  if (metadata.issuer === issuer) run.add(pass('server-issuer', `issuer is exactly ${issuer}`))
  else {
    const remedy = `It must be exactly "${issuer}", as the resource names it: clients refuse any other (RFC 8414 §3.3).`
    run.add(fail('server-issuer', `issuer is ${JSON.stringify(metadata.issuer)}`, remedy))
  }
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

function checkEndpoints(run: SmokeRun, metadata: Metadata): void {
  const names = ['authorization_endpoint', 'token_endpoint'] as const
  const flaws = names.flatMap((name) => {
    const url = parseAbsolute(metadata[name])
    if (url === undefined) return [`${name} is ${metadata[name] === undefined ? 'missing' : 'no URL'}`]
    return isSecureUrl(url) ? [] : [`${name} is not https`]
  })
  if (flaws.length === 0) run.add(pass('server-endpoints', 'authorization_endpoint and token_endpoint are https'))
  else run.add(fail('server-endpoints', flaws.join(', '), 'Clients need both, over https (RFC 8414 §2).'))
}

function checkPkce(run: SmokeRun, { code_challenge_methods_supported: methods }: Metadata): void {
  if (Array.isArray(methods) && methods.includes('S256')) run.add(pass('server-pkce', 'PKCE with S256 is supported'))
  else {
    const words = methods === undefined ? 'is missing' : 'lacks S256'
    const remedy = 'MCP clients refuse a server whose metadata does not name PKCE with S256.'
    run.add(fail('server-pkce', `code_challenge_methods_supported ${words}`, remedy))
  }
}

function checkResponseTypes(run: SmokeRun, { response_types_supported: types }: Metadata): void {
  if (Array.isArray(types) && types.includes('code'))
    run.add(pass('server-response-types', 'response type code is supported'))
  else {
    const remedy = 'Clients that act for a person use the authorization code flow.'
    run.add(fail('server-response-types', 'response_types_supported lacks "code"', remedy))
  }
}

function checkRegistrationOffer(run: SmokeRun, metadata: Metadata): void {
  const id = 'server-registration'
  const endpoint = metadata.registration_endpoint
  if (endpoint !== undefined) {
    const url = parseAbsolute(endpoint)
    if (url !== undefined && isSecureUrl(url)) run.add(pass(id, `clients register at ${endpoint}`))
    else run.add(fail(id, `registration_endpoint is ${JSON.stringify(endpoint)}`, 'It must be an https URL.'))
  } else if (metadata.client_id_metadata_document_supported === true) {
    run.add(pass(id, 'clients are identified by their metadata document'))
  } else {
    run.add(warn(id, 'clients cannot register themselves', 'Give each client an id, or offer registration (RFC 7591).'))
  }
}

async function checkKeys(run: SmokeRun, { jwks_uri: uri }: Metadata): Promise<void> {
  const id = 'server-keys'
  if (uri === undefined) {
    run.add(skip(id, 'there is no jwks_uri: tokens must be introspected'))
    return
  }
  const url = parseAbsolute(uri)
  const remedy = 'Without its keys no token can be verified (RFC 7517 §5).'
  if (url === undefined || !isSecureUrl(url)) {
    run.add(fail(id, `jwks_uri is ${JSON.stringify(uri)}`, 'It must be an https URL.'))
    return
  }
  const answer = await ask(run, id, remedy, url.href)
  if (answer === undefined) return
  const flaw = answer.status === 200 ? undefined : documentFlaw(answer)
  const keys = await summariseKeySet(answer.json)
  if (flaw !== undefined || keys === undefined || keys.total === 0) {
    run.add(fail(id, `${uri}: ${flaw ?? 'it holds no keys'}`, remedy))
  } else if (keys.hasPrivateKey) {
    run.add(fail(id, `${uri} publishes a private key`, 'Replace the key at once, and publish only its public half.'))
  } else if (keys.usable === 0) {
    const words = `${uri}: requireOAuthBearer can use none of its keys`
    run.add(warn(id, words, 'Publish keys for signatures, of a supported kind and length (RFC 7518 §6).'))
  } else run.add(pass(id, `${uri} holds ${keys.total} ${keys.total === 1 ? 'key' : 'keys'}`))
}
