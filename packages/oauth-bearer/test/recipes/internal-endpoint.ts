import { UnavailableError } from '@countersign/core'
import { requireOAuthBearer, type VerifyFunction } from '@countersign/oauth-bearer'

/** Asks an internal endpoint: POST { token } → { active, user_id, account_id }. */
export function verifyAtEndpoint(url: string, key: string): VerifyFunction {
  return async (token, { signal }) => {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal,
      headers: { 'Content-Type': 'application/json', 'X-Internal-Key': key },
      body: JSON.stringify({ token }),
    }).catch((cause: unknown) => {
      throw new UnavailableError('verifier', 'The verification endpoint cannot be reached', { cause })
    })
    if (!response.ok) throw new UnavailableError('verifier', `The verification endpoint answered ${response.status}`)
    const answer = (await response.json().catch(() => ({}))) as {
      active?: unknown
      user_id?: unknown
      account_id?: unknown
    }
    if (answer.active === false) return null
    if (answer.active !== true || typeof answer.user_id !== 'string') {
      throw new UnavailableError('verifier', 'The verification endpoint answered neither yes nor no')
    }
    return { subject: answer.user_id, claims: { accountId: answer.account_id } }
  }
}

export const oauth = requireOAuthBearer({
  resource: 'https://mcp.example.com/mcp',
  issuer: {
    issuer: 'https://app.example.com',
    verify: verifyAtEndpoint('https://app.internal/verify-token', process.env.INTERNAL_KEY ?? ''),
  },
})
