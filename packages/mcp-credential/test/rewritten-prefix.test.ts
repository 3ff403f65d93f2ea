import { firstPresented } from '@countersign/core'
import {
  createMcpCredentials,
  type IssuedCredential,
  type McpCredentials,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { partitionTags } from '@countersign/redis/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { checksum } from '../src/token.js'
import { agent, send, toolCall } from './harness.js'
import { clusterSource, memorySource, postgresSource, redisSource } from './support/subjects.js'

/** The token with another prefix and the checksum that it needs then: no key is needed for that. */
function rewrite({ token }: IssuedCredential, from: string, to: string): string {
  const body = `${to}${token.slice(from.length, -6)}`
  return body + checksum(body)
}

function pair(low: McpCredentialStore, high: McpCredentialStore = low) {
  const { audit, events } = recordedAudit()
  const registry = (store: McpCredentialStore, prefix: string) => createMcpCredentials({ store, prefix, audit })
  return { low: registry(low, 'low'), high: registry(high, 'high'), audit, events }
}

const standing = async (registry: McpCredentials, token: string) => (await registry.resolve(token)).standing

async function expectApart(low: McpCredentials, high: McpCredentials): Promise<void> {
  for (const [own, other, from, to] of [
    [low, high, 'low', 'high'],
    [high, low, 'high', 'low'],
  ] as const) {
    const issued = await own.issue({ ...agent, onExisting: 'keep' })
    expect(await standing(own, issued.token)).toBe('live')
    expect(await standing(other, issued.token)).toBe('malformed')
    expect(await standing(other, rewrite(issued, from, to))).toBe('wrong_secret')
  }
}

describe.each([memorySource(), redisSource(), clusterSource(), postgresSource()])(
  'two registries in $name',
  (source) => {
    beforeAll(() => source.open(), 60_000)
    afterAll(() => source.close())

    test('a token is good with its own prefix alone', async () => {
      const { store } = await source.fresh()
      const { low, high } = pair(store)
      await expectApart(low, high)
    })

    test('nor is it through a store of another process', async () => {
      const subject = await source.fresh()
      const { low, high } = pair(subject.store, subject.other())
      await expectApart(low, high)
    })

    test('a carried token stays its own registry’s', async () => {
      const { store } = await source.fresh()
      const { low, high } = pair(store)
      const old = await low.issue(agent)
      await low.issue({ ...agent, onExisting: 'carry' })
      expect([await standing(low, old.token), await standing(high, rewrite(old, 'low', 'high'))]).toEqual([
        'live',
        'wrong_secret',
      ])
    })

    test.each(['low first', 'high first'])(
      'through firstPresented (%s) a rewritten token calls no tool',
      async (order) => {
        const { store } = await source.fresh()
        const { low, high, audit, events } = pair(store)
        const gates = {
          low: requireMcpCredential({ credentials: low, audit, tools: { look: [] } }),
          high: requireMcpCredential({ credentials: high, audit, tools: { '*': [] } }),
        }
        const gate =
          order === 'low first' ? firstPresented(gates.low, gates.high) : firstPresented(gates.high, gates.low)
        const app = express()
        app.post('/', gate, (_request, response) => void response.json({ ran: true }))
        const server = await serve(app)
        const issued = await low.issue(agent)
        const call = async (token: string, tool: string) =>
          (await send(server.port, { authorization: `Bearer ${token}` }, toolCall(tool))).status
        expect([await call(issued.token, 'look'), await call(issued.token, 'shell')]).toEqual([200, 403])
        expect(await call(rewrite(issued, 'low', 'high'), 'shell')).toBe(401)
        expect(events.at(-1)?.reason).toBe('wrong_secret')
        await server.close()
      },
    )
  },
)

test('a record that was copied to another namespace of a Redis proves nothing there', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const patient = { commandTimeoutMs: 10_000 }
  const { low: one, high: other } = {
    low: createMcpCredentials({ store: redisCredentials(redis, { ...patient, namespace: 'one' }) }),
    high: createMcpCredentials({ store: redisCredentials(redis, { ...patient, namespace: 'other' }) }),
  }
  const { token } = await one.issue(agent)
  expect(await standing(other, token)).toBe('unknown')
  const tags = partitionTags('other', 'mcp')
  for (const [partition, tag] of partitionTags('one', 'mcp').entries()) {
    for (const key of await redis.keys(`${tag}*`)) await redis.copy(key, key.replace(tag, tags[partition] as string))
  }
  expect([await standing(one, token), await standing(other, token)]).toEqual(['live', 'wrong_secret'])
  redis.disconnect()
  await server.stop()
})
