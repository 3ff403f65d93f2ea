import { decodeToken } from '@countersign/oauth-bearer/explain'
import { exportJWK, generateKeyPair } from 'jose'
import { type DpopClient, dpopClient } from './dpop-client.js'
import { challengeParameter, parseChallenges } from './parse-challenges.js'
import { exchange, firstRequest, type HttpAnswer, HttpFailure, type SmokeRun } from './smoke-run.js'

/**
 * Does what a thief of a bound token would: uses a proof again, signs with another key, sends the token as a bearer token. Before
 * that, what its client does (RFC 9449 §7, §9).
 */
export async function checkDpop(run: SmokeRun, token: string, client: DpopClient): Promise<void> {
  if (!checkBinding(run, token, client)) return
  try {
    await present(run, token, client)
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error
    run.fail('dpop', error.message, 'Try again.')
  }
}

/** An opaque token does not say what it is bound to. */
function checkBinding(run: SmokeRun, token: string, { jkt }: DpopClient): boolean {
  const id = 'dpop-binding'
  const decoded = decodeToken(token)
  if (decoded === undefined) {
    run.skip(id, 'the token is opaque: what it is bound to is not shown')
    return true
  }
  const { jkt: bound } = (decoded.claims.cnf ?? {}) as { readonly jkt?: unknown }
  if (bound === jkt) run.pass(id, 'the token is bound to this key')
  else if (bound === undefined) {
    run.fail(id, 'the token is bound to no key (cnf.jkt)', 'Request it with a proof, from an issuer that binds tokens.')
  } else run.fail(id, 'the token is bound to another key', 'Use the key with which its client requested it.')
  return bound === jkt
}

async function present(run: SmokeRun, token: string, client: DpopClient): Promise<void> {
  const send = (proof: string | undefined, scheme = 'DPoP'): Promise<HttpAnswer> => {
    const headers: Record<string, string> = { authorization: `${scheme} ${token}` }
    if (proof !== undefined) headers.dpop = proof
    return exchange(run.url, firstRequest(run.isApi, headers), run)
  }
  const method = firstRequest(run.isApi).method ?? 'GET'
  let nonce: string | undefined
  let proof = await client.prove(method, run.url, token)
  let answer = await send(proof)
  if (errorOf(answer) === 'use_dpop_nonce') {
    nonce = answer.headers.get('dpop-nonce') ?? undefined
    if (nonce === undefined) {
      return run.fail('dpop-nonce', 'the server requires a nonce but sends none', 'Send DPoP-Nonce (RFC 9449 §9).')
    }
    run.pass('dpop-nonce', 'the server requires a nonce, and sends it')
    proof = await client.prove(method, run.url, token, nonce)
    answer = await send(proof)
  }
  if (answer.status === 401 || answer.status === 403) {
    const words = `with the token and a proof the answer is ${answer.status} ${errorOf(answer) ?? ''}`.trim()
    return run.fail('dpop', words, 'Run "countersign oauth inspect" on the token, and see the audit log of the server.')
  }
  run.pass('dpop', `with the token and a proof the answer is ${answer.status}`)
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const thief = await dpopClient(await exportJWK(privateKey))
  mustRefuse(
    run,
    'dpop-other-key',
    'a proof from another key',
    await send(await thief.prove(method, run.url, token, nonce)),
  )
  mustRefuse(run, 'dpop-as-bearer', 'the token as a bearer token', await send(undefined, 'Bearer'))
  const again = await send(proof)
  if (again.status === 401) run.pass('dpop-replay', 'a used proof is refused: 401')
  else {
    const remedy = 'Store used proofs (RFC 9449 §11.1) in one place for all processes.'
    run.warn('dpop-replay', `a used proof gets ${again.status}`, remedy)
  }
}

function mustRefuse(run: SmokeRun, id: string, what: string, { status }: HttpAnswer): void {
  if (status === 401) run.pass(id, `${what} is refused: 401`)
  else run.fail(id, `${what} gets ${status}, not 401`, 'The server must refuse it (RFC 9449 §7): a stolen token works.')
}

function errorOf({ headers }: HttpAnswer): string | undefined {
  return challengeParameter(parseChallenges(headers.get('www-authenticate') ?? '') ?? [], 'error')
}
