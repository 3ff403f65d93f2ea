import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { dpopKey, dpopProof, recordAudit, testIssuer } from '@countersign/testing'
import { expect, test } from '@jest/globals'
import express from 'express'
import { NginxServer } from '../support/nginx-server.js'

test('[dpop-proxy] behind a real nginx that removes a prefix, a proof names the URL that the client asked for', async () => {
  const app = express()
  const server = createServer(app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const nginx = await NginxServer.start(`location /api/ { proxy_pass http://127.0.0.1:${port}/; }`)
  const origin = `http://127.0.0.1:${nginx.port}`
  const issuer = await testIssuer({ resource: `${origin}/api`, algorithm: 'ES256' })
  try {
    const { audit, events } = recordAudit()
    const gate = (strippedPrefix?: string) =>
      requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit, dpop: { strippedPrefix } })
    app.get('/files', gate('/api'), (_request, response) => void response.json({}))
    app.get('/plain', gate(), (_request, response) => void response.json({}))
    const key = await dpopKey()
    const token = await issuer.token({ boundTo: key })
    const ask = async (path: string, url = `${origin}${path}`) => {
      const dpop = await dpopProof({ key, token, url })
      const headers = { authorization: `DPoP ${token}`, dpop }
      return (await fetch(`${origin}${path}`, { headers })).status
    }
    expect(await ask('/api/files?page=2')).toBe(200)
    expect(await ask('/api/files', `${origin}/files`)).toBe(401)
    expect(await ask('/api/plain')).toBe(401)
    expect(events.at(-1)).toMatchObject({ reason: 'bad_proof', attributes: { part: 'htu', hint: 'prefix' } })
  } finally {
    await Promise.all([nginx.stop(), issuer.stop()])
    server.closeAllConnections()
    server.close()
  }
})
