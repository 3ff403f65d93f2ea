import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMcpCredentials,
  type McpCredentialsOptions,
  memoryCredentials,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { agent, type Harness, mcpApp, send, toolCall } from './harness.js'
import { memorySource, postgresSource, redisSource } from './support/subjects.js'

const MINUTE = 60_000

/** The last event, after a refused request whose answer does not repeat it. */
async function refused(app: Harness, authorization: string, body?: unknown) {
  const { status, text } = await send(app.port, { authorization }, body)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(text).not.toMatch(/seconds|"part"|limit_bytes|scopes_held/)
  const { reason, attributes } = app.events.at(-1) ?? {}
  return { reason, attributes: attributes ?? {} }
}

describe.each([memorySource(), redisSource(), postgresSource()])('an event of a credential in $name says', (source) => {
  beforeAll(() => source.open(), 60_000)
  afterAll(() => source.close())

  async function guarded(options: Omit<McpCredentialsOptions, 'store' | 'audit'>) {
    const subject = await source.fresh()
    const { audit, events } = recordedAudit()
    const credentials = createMcpCredentials({ store: subject.store, audit, ...options })
    const app = express().use(requireMcpCredential({ credentials, audit }), (_request, response) => response.end())
    return { ...(await serve(app)), subject, credentials, events }
  }

  /** The seconds in the event of a refusal. */
  async function lateBy(app: Awaited<ReturnType<typeof guarded>>, authorization: string, reason: string) {
    expect((await send(app.port, { authorization })).status).toBe(401)
    const event = app.events.at(-1)
    expect(event?.reason).toBe(reason)
    return event?.attributes?.late_by_seconds
  }

  test('for how many seconds it has been idle or has expired, by the clock of the store', async () => {
    const app = await guarded({ idleTimeoutSeconds: 600, absoluteLifetimeSeconds: 1200 })
    const { authorizationHeader } = await app.credentials.issue(agent)
    // The timeout, the minute by which idleness is noticed late, and four minutes more.
    await app.subject.pass(15 * MINUTE)
    const idleFor = await lateBy(app, authorizationHeader, 'idle')
    expect(idleFor).toBeGreaterThanOrEqual(239)
    expect(idleFor).toBeLessThan(300)
    await app.subject.pass(6 * MINUTE)
    const expiredFor = await lateBy(app, authorizationHeader, 'expired')
    expect(expiredFor).toBeGreaterThanOrEqual(59)
    expect(expiredFor).toBeLessThan(90)
    await app.close()
  }, 30_000)

  test('that an idle one was revived, once for each time', async () => {
    const app = await guarded({ isAlive: () => true })
    const { authorizationHeader, credentialId } = await app.credentials.issue(agent)
    await app.subject.pass(40 * MINUTE)
    for (let round = 0; round < 2; round += 1) {
      expect((await send(app.port, { authorization: authorizationHeader })).status).toBe(200)
    }
    const revived = app.events.filter(({ type }) => type === 'mcp.credential.revived')
    expect(revived.map(({ credential }) => credential?.id)).toEqual([credentialId])
    await app.close()
  }, 30_000)

  test('what it allows, when it is issued, as far as that fits', async () => {
    const app = await guarded({})
    await app.credentials.issue({ ...agent, capabilities: ['preview', 'files:write'] })
    expect(app.events.at(-1)).toMatchObject({
      type: 'mcp.credential.issued',
      attributes: { capabilities: 'preview files:write' },
    })
    const many = Array.from({ length: 64 }, (_, index) => `capability-${index}`)
    await app.credentials.issue({ ...agent, capabilities: many })
    const text = String(app.events.findLast(({ type }) => type === 'mcp.credential.issued')?.attributes?.capabilities)
    expect(text).toMatch(/^capability-0 capability-1 .* …\+\d+$/)
    expect(text.length).toBeLessThanOrEqual(256)
    const [, left] = text.split(' …+')
    expect(text.split(' ').length - 1 + Number(left)).toBe(64)
    await app.close()
  })
})

test('that a log was read back is an event with the number of its credentials, and a first start is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-'))
  const { audit, events } = recordedAudit()
  const start = () => createMcpCredentials({ audit, store: memoryCredentials({ file: join(folder, 'credentials') }) })
  const first = start()
  expect(events).toEqual([])
  await first.issue(agent)
  await (await first.issue({ ...agent, threadId: 't2' })).revoke()
  await first.close()
  events.length = 0
  const second = start()
  expect(events).toMatchObject([{ type: 'mcp.credentials.restored', attributes: { credentials: 1 } }])
  await Promise.all([second.close(), rm(folder, { recursive: true })])
})

test('an event of a malformed credential says which part', async () => {
  const app = await mcpApp()
  const { token } = await app.credentials.issue(agent)
  const rows: [string, string][] = [
    [`Bearer ${token.slice(0, -1)}!`, 'form'],
    [`Bearer ${token.slice(0, -1)}`, 'form'],
    [`Bearer ${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`, 'checksum'],
    ['Bearer two words', 'token'],
    [`${token} trailing`, 'scheme'],
  ]
  for (const [authorization, part] of rows) {
    expect([part, await refused(app, authorization)]).toEqual([part, { reason: 'malformed', attributes: { part } }])
  }
  expect(JSON.stringify(app.events)).not.toContain(token.slice(-20, -6))
  await app.close()
})

test('an event of a refused tool call says what the holder has and what the tool needs', async () => {
  const app = await mcpApp({ tools: { 'files_*': ['files:read', 'files:write'], 'preview_*': 'preview' } })
  const { authorizationHeader } = await app.credentials.issue({ ...agent, capabilities: ['preview', 'files:read'] })
  expect(await refused(app, authorizationHeader, toolCall('files_save'))).toEqual({
    reason: 'insufficient_scope',
    attributes: {
      why: 'tool',
      tool: 'files_save',
      scopes_held: 'preview files:read',
      scopes_needed: 'files:read files:write',
    },
  })
  expect((await refused(app, authorizationHeader, toolCall('unlisted'))).attributes).toEqual({
    why: 'no_pattern',
    tool: 'unlisted',
  })
  await app.close()
})

test('an event of a body that is too large says the limit', async () => {
  const app = await mcpApp({ before: [], tools: { '*': 'preview' }, maxBodyBytes: 1024 })
  const { authorizationHeader } = await app.credentials.issue(agent)
  const { reason, attributes } = await refused(app, authorizationHeader, toolCall('x'.repeat(2000)))
  expect([reason, attributes.limit_bytes]).toEqual(['body_too_large', 1024])
  await app.close()
})
