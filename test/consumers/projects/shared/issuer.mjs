// An issuer of access tokens in plain Node: a consumer has no test library.
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

export async function startIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }
  const server = createServer((request, response) => {
    const documents = {
      '/.well-known/oauth-authorization-server': { issuer: url, jwks_uri: `${url}/jwks` },
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/jwks` },
      '/jwks': { keys: [key] },
    }
    const found = documents[request.url]
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}`
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return {
    url,
    /** An access token of RFC 9068 for this resource, with these members in place of its own. */
    token(audience, { header = {}, claims: changed = {} } = {}) {
      const now = Math.floor(Date.now() / 1000)
      const own = { iss: url, aud: audience, sub: 'u1', client_id: 'c1', iat: now, exp: now + 60, jti: randomUUID() }
      const claims = { ...own, ...changed }
      const input = `${encode({ alg: 'RS256', typ: 'at+jwt', kid: 'k1', ...header })}.${encode(claims)}`
      return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey, 'base64url')}`
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
