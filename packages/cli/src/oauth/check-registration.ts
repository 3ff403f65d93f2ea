import { ask, type Metadata, parseAbsolute, type SmokeRun } from './smoke-run.js'

const CLIENT = {
  client_name: 'countersign smoke test',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

/** Registers a client (RFC 7591), and removes it again where the server can (RFC 7592). */
export async function checkRegistration(run: SmokeRun, metadata: Metadata): Promise<void> {
  const id = 'registration'
  const endpoint = parseAbsolute(metadata.registration_endpoint)
  if (endpoint === undefined) {
    return run.fail(id, 'there is no registration_endpoint', 'Remove --register, or offer registration (RFC 7591).')
  }
  const remedy = 'A public client should be able to register without a token (RFC 7591 §3).'
  const answer = await ask(run, id, remedy, endpoint.href, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(CLIENT),
  })
  if (answer === undefined) return
  const { client_id: clientId, registration_client_uri: uri, registration_access_token: access } = answer.json ?? {}
  if (answer.status !== 201 || typeof clientId !== 'string') {
    const error = answer.json?.error
    const words = typeof error === 'string' ? `${answer.status} ${error}` : `${answer.status}`
    return run.fail(id, `${endpoint.href} answers ${words}, not 201 with a client_id`, remedy)
  }
  run.pass(id, 'a client can register itself')
  await removeClient(run, clientId, uri, access)
}

async function removeClient(run: SmokeRun, clientId: string, uri: unknown, access: unknown): Promise<void> {
  const id = 'registration-removed'
  const place = parseAbsolute(uri)
  const remedy = 'Remove it by hand.'
  if (place === undefined || typeof access !== 'string') {
    return run.warn(id, `the client ${clientId} remains: the server offers no way to remove it`, remedy)
  }
  const headers = { authorization: `Bearer ${access}` }
  const answer = await ask(run, id, remedy, place.href, { method: 'DELETE', headers })
  if (answer?.status === 204) run.pass(id, 'the client was removed again')
  else if (answer !== undefined) run.warn(id, `the client ${clientId} remains: DELETE answers ${answer.status}`, remedy)
}
