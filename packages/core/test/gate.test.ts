import { expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { defineGate, granted } from '../src/index.js'

test('a granted request reaches its handler with a frozen principal and one event', async () => {
  const { audit, events } = recordedAudit()
  const gate = defineGate<{ kind: 'x'; id: string }, never, never>({
    scheme: 'x',
    reads: ['x-key'],
    presents: () => true,
    authenticate: () => granted({ kind: 'x', id: 'a' }),
    reasons: {},
    challenge: () => [],
    options: { audit },
  })
  const app = express().get('/a/:id', gate, (req, res) => {
    res.json({ principal: req.principal, frozen: Object.isFrozen(req.principal) })
  })
  const response = await request(app).get('/a/1?secret=1')
  expect(response.body).toEqual({ principal: { kind: 'x', id: 'a' }, frozen: true })
  expect(events).toMatchObject([{ type: 'access.granted', gate: 'x', http: { route: '/a/:id', method: 'GET' } }])
})
