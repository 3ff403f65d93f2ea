import { createPublicKey, hash, type KeyObject, randomUUID, verify } from 'node:crypto'
import { memoryReplay } from '@countersign/core'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import type { RequestHandler } from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Case, neverSeen, type Setup, type Traffic } from '../case.js'
import { wire } from '../wire.js'
import { listeningAudit } from './listening.js'
import { RESOURCE, startIssuer } from './oauth.js'

/** The signature of the proof alone, with a key that is known. */
function bareVerification(key: KeyObject): RequestHandler {
  const how = { key, dsaEncoding: 'ieee-p1363' } as const
  return (request, response, next) => {
    const proof = String(request.headers.dpop)
    const end = proof.lastIndexOf('.')
    const signature = Buffer.from(proof.slice(end + 1), 'base64url')
    if (verify('sha256', Buffer.from(proof.slice(0, end)), how, signature)) next()
    else response.status(401).end()
  }
}

/** One token that is bound to a key, and a proof for each request that nobody has seen. */
async function boundToken(): Promise<Setup> {
  const issuer = await startIssuer('ES256')
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  const token = await issuer.token({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
  const ath = hash('sha256', token, 'base64url')

  /** `htu`: the peer takes the scheme of the connection for that of the resource. */
  function proofsFor(htu: string): () => Traffic {
    return neverSeen(async () => {
      const proof = await new SignJWT({ htm: 'POST', htu, ath })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(privateKey)
      return wire('POST', '/mcp', { authorization: `DPoP ${token}`, dpop: proof })
    })
  }
  const proofs = proofsFor(RESOURCE)

  const common = { issuer: issuer.url, audience: RESOURCE }
  const dpop = { mode: 'required', replay: memoryReplay() } as const
  const gate = requireOAuthBearer({ resource: RESOURCE, issuer: issuer.url, audit: listeningAudit(), dpop })
  const peer = auth({
    ...common,
    jwksUri: `${issuer.url}/jwks`,
    tokenSigningAlg: 'ES256',
    dpop: { enabled: true, required: true },
  })
  const bare = bareVerification(createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' }))
  return {
    variants: [
      { name: 'requireOAuthBearer', isOurs: true, handler: gate, ...proofs() },
      {
        name: 'express-oauth2-jwt-bearer',
        isOurs: false,
        handler: peer,
        ...proofsFor(RESOURCE.replace('https:', 'http:'))(),
      },
      { name: 'ES256 verification of the proof alone', isOurs: false, handler: bare, ...proofs() },
    ],
    close: issuer.close,
  }
}

export const dpopCase: Case = {
  id: 'oauth-dpop',
  title: 'OAuth with DPoP (ES256), one token, a new proof for each request',
  maxSlice: 100,
  setup: boundToken,
}
