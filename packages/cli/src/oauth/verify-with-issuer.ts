import { type Check, fail, pass } from '../checks.js'
import { unavailableError } from '../command-error.js'

/** What jose's refusals mean for whoever holds the token. */
const REFUSALS: Readonly<Record<string, readonly [string, string]>> = {
  ERR_JWT_EXPIRED: ['it has expired', 'Get a new one.'],
  ERR_JWKS_NO_MATCHING_KEY: [
    'the issuer has no key that signed it',
    'The key was rotated away, or another issuer signed it.',
  ],
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: ['several keys of the issuer match', 'Let the issuer say which by "kid".'],
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: ['its signature is wrong', 'It was altered, or another issuer signed it.'],
  ERR_JOSE_ALG_NOT_ALLOWED: ['it is signed by an algorithm that is not allowed', 'Use RS256, PS256, ES256 or EdDSA.'],
  ERR_JOSE_NOT_SUPPORTED: ['it is signed by an algorithm that is not supported', 'Use RS256, PS256, ES256 or EdDSA.'],
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const UNREACHABLE = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID'])

/** Whether the issuer signed the token, and whether it is valid now and for this audience. */
export async function verifyWithIssuer(
  token: string,
  { issuer, jwksUri, audience }: { issuer: string; jwksUri: unknown; audience: string | undefined },
): Promise<Check[]> {
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
    return [fail('signature', 'the issuer publishes no keys', 'Its tokens can only be introspected (RFC 7662).')]
  }
  const { createRemoteJWKSet, jwtVerify } = await import('jose')
  const keys = createRemoteJWKSet(new URL(jwksUri), { timeoutDuration: 10_000 })
  try {
    const { protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      algorithms: ALGORITHMS,
      ...(audience === undefined ? {} : { audience }),
    })
    return [
      pass('signature', `the issuer signed it (${protectedHeader.alg}, key ${protectedHeader.kid ?? 'unnamed'})`),
      pass('claims', audience === undefined ? 'it is valid now' : `it is valid now, and for ${audience}`),
      typeCheck(protectedHeader.typ),
    ]
  } catch (error) {
    return explain(error, jwksUri)
  }
}

function typeCheck(typ: string | undefined): Check {
  if (typ?.toLowerCase().replace(/^application\//, '') === 'at+jwt')
    return pass('type', 'it is an access token (at+jwt)')
  return {
    id: 'type',
    status: 'warn',
    detail: `its type is ${typ ?? 'not said'}, not at+jwt (RFC 9068)`,
    remedy: "requireOAuthBearer takes it with profile: 'relaxed' alone.",
  }
}

function explain(error: unknown, jwksUri: string): Check[] {
  const { code, claim, message } = error as { code?: string; claim?: string; message?: string }
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    const signature = pass('signature', 'the issuer signed it')
    return [signature, fail('claims', `"${claim}" is not as it must be: ${message}`, 'Get a token for this very use.')]
  }
  const known = REFUSALS[code ?? '']
  if (code === 'ERR_JWT_EXPIRED')
    return [pass('signature', 'the issuer signed it'), fail('claims', ...(known as [string, string]))]
  if (known !== undefined) return [fail('signature', ...known)]
  if (code === undefined || UNREACHABLE.has(code)) {
    throw unavailableError(`the keys at ${jwksUri} cannot be had (${message}): check that the issuer runs`, error)
  }
  return [fail('signature', `it is no valid JWT: ${message}`, 'Get a new one.')]
}
