// Grants one request by a gate, with the option `dpop` that the first argument says, and ends.

import express from 'express'
import { serve } from '../../../test/support/http-server.js'
import { testIssuer } from '../../../test/support/test-issuer.js'
import { requireOAuthBearer } from '../src/index.js'

const issuer = await testIssuer({ algorithm: 'ES256' })
const dpop = process.argv[2] === 'accepted' && 'accepted'
const gate = requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, dpop })
const server = await serve(express().use(gate, (_request, response) => void response.end()))
const { status } = await fetch(server.url, { headers: { authorization: `Bearer ${await issuer.token()}` } })
console.log(status)
await server.close()
await issuer.stop()
