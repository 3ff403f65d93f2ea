import { fail, pass, skip, warn } from '../checks.js'
import { documentFlaw } from './check-resource-metadata.js'
import { exchange, isSecure, parseAbsolute } from './http.js'
import { findServerMetadata } from './server-metadata.js'
import { answerOf, type SmokeRun } from './smoke-run.js'

type Metadata = Readonly<Record<string, unknown>>

/** An authorization server as its metadata (RFC 8414) describes it. Returns the metadata. */
export async function checkAuthorizationServer(run: SmokeRun, issuer: string): Promise<Metadata | undefined> {
  const found = await findServerMetadata(issuer, run.http)
  if (typeof found === 'string') {
    run.add(fail('server-metadata', found, `Serve the metadata of "${issuer}" at one of these (RFC 8414 §3).`))
    return undefined
  }
  const { place, metadata } = found
  run.add(pass('server-metadata', `${place} is JSON`))
  if (metadata.issuer === issuer) run.add(pass('server-issuer', `issuer is exactly ${issuer}`))
  else {
    const remedy = `It must be exactly "${issuer}", as the resource names it: clients refuse another (RFC 8414 §3.3).`
    run.add(fail('server-issuer', `issuer is ${JSON.stringify(metadata.issuer)}`, remedy))
  }
  checkEndpoints(run, metadata)
  checkPkce(run, metadata)
  checkResponseTypes(run, metadata)
  checkRegistrationOffer(run, metadata)
  await checkKeys(run, metadata)
  return metadata
}

function checkEndpoints(run: SmokeRun, metadata: Metadata): void {
  const names = ['authorization_endpoint', 'token_endpoint'] as const
  const flaws = names.flatMap((name) => {
    const url = parseAbsolute(metadata[name])
    if (url === undefined) return [`${name} is ${metadata[name] === undefined ? 'missing' : 'no URL'}`]
    return isSecure(url) ? [] : [`${name} is not https`]
  })
  if (flaws.length === 0) run.add(pass('server-endpoints', 'authorization_endpoint and token_endpoint are https'))
  else run.add(fail('server-endpoints', flaws.join(', '), 'Clients need both, over https (RFC 8414 §2).'))
}

function checkPkce(run: SmokeRun, { code_challenge_methods_supported: methods }: Metadata): void {
  if (Array.isArray(methods) && methods.includes('S256')) run.add(pass('server-pkce', 'PKCE with S256 is supported'))
  else {
    const words = methods === undefined ? 'is missing' : 'lacks S256'
    const remedy = 'MCP clients refuse a server that does not advertise PKCE with S256: say it.'
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
    if (url !== undefined && isSecure(url)) run.add(pass(id, `clients register at ${endpoint}`))
    else run.add(fail(id, `registration_endpoint is ${JSON.stringify(endpoint)}`, 'It must be an https URL.'))
  } else if (metadata.client_id_metadata_document_supported === true) {
    run.add(pass(id, 'clients are known by their metadata document'))
  } else {
    run.add(warn(id, 'clients cannot register themselves', 'Hand each client an id, or offer registration (RFC 7591).'))
  }
}

/** Members that only the private half of a key has (RFC 7518 §6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']

async function checkKeys(run: SmokeRun, { jwks_uri: uri }: Metadata): Promise<void> {
  const id = 'server-keys'
  if (uri === undefined) {
    run.add(skip(id, 'there is no jwks_uri: tokens are opaque, or introspected'))
    return
  }
  const url = parseAbsolute(uri)
  const remedy = 'Without its keys no token can be verified (RFC 7517 §5).'
  if (url === undefined || !isSecure(url)) {
    run.add(fail(id, `jwks_uri is ${JSON.stringify(uri)}`, 'It must be an https URL.'))
    return
  }
  const answer = await answerOf(run, id, remedy, () => exchange(url.href, {}, run.http))
  if (answer === undefined) return
  const keys = answer.json?.keys
  const flaw = answer.status === 200 ? undefined : documentFlaw(answer)
  if (flaw !== undefined || !Array.isArray(keys) || keys.length === 0) {
    run.add(fail(id, `${uri}: ${flaw ?? 'it holds no keys'}`, remedy))
  } else if (keys.some((key) => PRIVATE.some((member) => Object.hasOwn(Object(key), member)))) {
    run.add(fail(id, `${uri} publishes a private key`, 'Replace the key at once, and publish its public half alone.'))
  } else run.add(pass(id, `${uri} holds ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`))
}
