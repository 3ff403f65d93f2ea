import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { firstPresented } from '@countersign/core'
import { memorySecrets, requireHmac, rfc9421 } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { type DpopKey, dpopKey, dpopProof, recordAudit, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express from 'express'
import { CLIENT_CERTIFICATE as CERTIFICATE } from '../support/test-certificate.js'

let issuer: TestIssuer
let key: DpopKey
let token: string
let server: Server

beforeAll(async () => {
  ;[issuer, key] = await Promise.all([testIssuer({ algorithm: 'ES256' }), dpopKey()])
  token = await issuer.token({ boundTo: key })
  const { audit } = recordAudit()
  const { url, resource } = issuer
  const mcp = requireMcpCredential({ credentials: createMcpCredentials(), audit })
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: 'a-secret-of-the-scheduler-in-the-tests' }])
  const hmac = requireHmac({ secrets, audience: new URL(resource).host, formats: [rfc9421()], audit })
  const oauth = requireOAuthBearer({ issuer: url, resource, audit, dpop: 'accepted' })
  const app = express()
  app.use('/before', oauth.optional())
  app.use(firstPresented(mcp, hmac, oauth), (incoming, response) => void response.json(incoming.principal))
  server = createServer(app).listen(0, '127.0.0.1')
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await issuer.stop()
})

interface Sent {
  readonly scheme?: string
  readonly path?: string
  readonly method?: string
  readonly proof?: string
  readonly headers?: Record<string, string>
}

const proofFor = (path: string, method = 'GET') =>
  dpopProof({ key, token, method, url: `${new URL(issuer.resource).origin}${path}` })

/** The status of a request with the bound token. `path` is sent as it is. */
async function send({
  scheme = 'DPoP',
  path = '/files',
  method = 'GET',
  headers = {},
  ...rest
}: Sent): Promise<number> {
  const { port } = server.address() as AddressInfo
  const proof = rest.proof ?? (await proofFor(path, method))
  const fields = { authorization: `${scheme} ${token}`, dpop: proof, ...headers }
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, method, headers: fields }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end()
  })
}

test('[dpop-optional] beside other gates a bound token has one way in, and no other gate opens a second one', async () => {
  for (const path of ['/files', '/before']) {
    const proof = await proofFor(path)
    expect(await send({ path, proof })).toBe(200)
    expect(await send({ path, proof })).toBe(401)
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) expect(await send({ path, scheme })).toBe(401)
  }
  const signature = { signature: 'sig=:AAAA:', 'signature-input': 'sig=("@method");created=1' }
  expect(await send({ scheme: 'Bearer', headers: signature })).toBe(401)
  expect(await send({ scheme: 'Token' })).toBe(401)
  expect(await send({ scheme: 'DPoP,Bearer' })).toBe(400)
})

test('[dpop-replay] of 100 copies at once in one process, one is accepted', async () => {
  const proof = await proofFor('/files')
  const statuses = await Promise.all(Array.from({ length: 100 }, () => send({ proof })))
  expect(statuses.filter((status) => status === 200)).toHaveLength(1)
  expect(statuses.filter((status) => status === 401)).toHaveLength(99)
})

test('[dpop-htm] [dpop-htu] a proof for another method or path than the router takes is refused', async () => {
  const own = new URL(issuer.resource).origin
  expect(await send({ method: 'HEAD', proof: await proofFor('/files', 'GET') })).toBe(401)
  expect(await send({ method: 'HEAD' })).toBe(200)
  expect(await send({ path: `${own}/files`, proof: await proofFor('/files') })).toBe(200)
  for (const path of [
    `${own}/admin/../files`,
    `${own}/%2e%2e/files`,
    '/x/../files',
    '//files',
    '/files/',
    '/files;a',
  ]) {
    expect(await send({ path, proof: await proofFor('/files') })).toBe(401)
  }
})

test('[mtls-composed] a composed gate asks for the certificate that a token is bound to', async () => {
  const { audit } = recordAudit()
  const mcp = requireMcpCredential({ credentials: createMcpCredentials(), audit })
  const certificate = (incoming: express.Request) => incoming.get('x-certificate') && CERTIFICATE
  const oauth = requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit, mtls: { certificate } })
  const app = express()
  app.use(firstPresented(mcp, oauth), (incoming, response) => void response.json(incoming.principal))
  const running = createServer(app).listen(0, '127.0.0.1')
  await once(running, 'listening')
  const { port } = running.address() as AddressInfo
  const cnf = { 'x5t#S256': createHash('sha256').update(new X509Certificate(CERTIFICATE).raw).digest('base64url') }
  const authorization = `Bearer ${await issuer.token({ claims: { cnf } })}`
  const ask = async (headers = {}) =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization, ...headers } })).status
  expect([await ask({ 'x-certificate': '1' }), await ask()]).toEqual([200, 401])
  running.closeAllConnections()
  running.close()
})
