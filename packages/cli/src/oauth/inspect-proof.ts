import { explainToken, type JsonObject, type TokenSender } from '@countersign/oauth-bearer/explain'
import { type Check, fail, pass, skip } from '../checks.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { parseUrl, readInput } from '../input.js'

/** Every algorithm that a gate can be set to: which ones it takes is its own. */
export const DPOP = {
  algorithms: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'],
} as const

/** The request and the proof of `--proof`; undefined without it. @throws {CommandError} for `--proof` without `--url`. */
export async function readSender(
  context: Context,
  { proof: file, method = 'GET', url }: { readonly proof?: string; readonly method?: string; readonly url?: string },
): Promise<TokenSender | undefined> {
  if (file === undefined) {
    if (url !== undefined) throw usageError('--url belongs to --proof: also pass the file of the proof')
    return undefined
  }
  if (url === undefined)
    throw usageError('--proof is for one request: pass its --url, and its --method unless it is GET')
  const proof = (await readInput(context, file, 'the DPoP proof'))
    .toString('utf8')
    .trim()
    .replace(/^DPoP: */i, '')
  return { proof, method, url: parseUrl(url).href }
}

/** Checks a proof against what the token itself says, which is not proven. */
export async function decideOnProof(
  token: string,
  claims: JsonObject | undefined,
  sender: TokenSender,
): Promise<{ readonly ok: boolean; readonly checks: readonly Check[] }> {
  if (claims === undefined) {
    return { ok: true, checks: [skip('proof', 'the token is opaque: what it is bound to is not known')] }
  }
  const { verdict } = await explainToken(
    token,
    {
      resource: new URL(sender.url).origin,
      issuer: { issuer: 'the-token-itself', verify: () => ({ subject: 'unproven', claims }) },
      dpop: DPOP,
    },
    sender,
  )
  if (verdict.outcome === 'granted') {
    return { ok: true, checks: [pass('proof', 'it is for this request, this token and the key in its cnf')] }
  }
  const { part, late_by_seconds: late, early_by_seconds: early, hint } = verdict.detail?.attributes ?? {}
  const what =
    verdict.outcome === 'denied' && verdict.reason === 'bad_proof'
      ? `its ${part} is wrong`
      : 'the token is bound to no key'
  const seen = Object.entries({ hint, late_by_seconds: late, early_by_seconds: early }).filter(
    ([, value]) => value !== undefined,
  )
  const words = seen.length === 0 ? what : `${what} (${seen.map(([name, value]) => `${name}=${value}`).join(' ')})`
  const remedy = 'The guide "Tokens that only their client can use" says what to do for each part.'
  return { ok: false, checks: [fail('proof', words, remedy)] }
}
