import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import {
  createMcpCredentials,
  type McpCredentialsOptions,
  memoryCredentials,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import { expect, test } from '@jest/globals'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { serve } from '../../../test/support/http-server.js'
import { isLong } from '../../../test/support/run-length.js'
import { agent, send } from './harness.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

function memory(options: Omit<McpCredentialsOptions, 'store'> = {}, limits: { maxCredentials?: number } = {}) {
  const clock = fakeClock()
  const store = memoryCredentials({ clock, ...limits })
  const credentials = createMcpCredentials({ store, audit: recordedAudit().audit, ...options })
  const standing = (token: string) => (credentials.resolve(token) as { standing: string }).standing
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 15 * SECOND) {
      clock.advance(Math.min(left, 15 * SECOND))
      store.tick()
    }
  }
  return { clock, store, credentials, standing, pass }
}

test('[mcp-slides] the edge is exact: good at idle timeout plus coalesce, gone a millisecond later', async () => {
  const { credentials, standing, pass } = memory()
  const at = async (ms: number) => {
    const { token } = await credentials.issue(agent)
    pass(ms)
    return standing(token)
  }
  expect(await at(31 * MINUTE)).toBe('live')
  expect(await at(31 * MINUTE + 1)).toBe('idle')
})

test('[mcp-slides] a use is written when a deadline moves by a minute or more, and never shortens one', async () => {
  const { credentials, pass } = memory()
  const { token } = await credentials.issue(agent)
  const idleAt = async () => (await credentials.resolve(token)).credential?.idleAt ?? 0
  const first = await idleAt()
  pass(59 * SECOND)
  expect(await idleAt()).toBe(first)
  pass(1 * SECOND)
  expect(await idleAt()).toBe(first + MINUTE)
  let last = 0
  for (let round = 0; round < 200; round += 1) {
    pass(37 * SECOND)
    const next = await idleAt()
    expect(next).toBeGreaterThanOrEqual(last)
    last = next
  }
})

test('[mcp-sleep-and-jumps] a night’s sleep ends no session, and counts as half a minute', async () => {
  const { credentials, standing, pass, clock, store } = memory()
  const { token } = await credentials.issue(agent)
  pass(29 * MINUTE)
  clock.advance(9 * HOUR)
  store.tick()
  const other = await credentials.issue({ ...agent, threadId: 't2' })
  expect(standing(token)).toBe('live')
  clock.advance(9 * HOUR)
  expect(standing(token)).toBe('live')
  expect(standing(other.token)).toBe('live')
  clock.advance(9 * HOUR)
  store.tick()
  pass(32 * MINUTE)
  expect(standing(token)).toBe('idle')
})

test('[mcp-sleep-and-jumps] a clock set a year ahead or back ends nothing and lengthens nothing', async () => {
  const { credentials, standing, pass, clock } = memory()
  const { token } = await credentials.issue(agent)
  clock.jump(365 * DAY)
  expect(standing(token)).toBe('live')
  clock.jump(-2 * 365 * DAY)
  expect(standing(token)).toBe('live')
  pass(31 * MINUTE + 1)
  expect(standing(token)).toBe('idle')
})

test('[mcp-sleep-and-jumps] after a suspend every time that is told is the wall clock’s', async () => {
  const { credentials, standing, clock, pass } = memory({ maximumLifetimeSeconds: 3600 })
  const before = await credentials.issue(agent)
  // The computer sleeps: no clock but the wall clock goes on.
  clock.jump(9 * HOUR)
  expect(standing(before.token)).toBe('live')
  const { credential } = await credentials.resolve(before.token)
  expect(credential).toMatchObject({ issuedAt: before.issuedAt, expiresAt: clock.now() + HOUR })
  expect(credential?.idleAt).toBe(clock.now() + 31 * MINUTE)
  const after = await credentials.issue({ ...agent, threadId: 't2' })
  expect([after.issuedAt, after.expiresAt, after.idleAt]).toEqual([
    clock.now(),
    clock.now() + HOUR,
    clock.now() + 31 * MINUTE,
  ])
  expect((await credentials.list({ threadId: 't2' })).credentials[0]).toMatchObject({ expiresAt: after.expiresAt })
  // It is the count that ends it, not the night.
  for (let round = 0; round < 10; round += 1) {
    pass(20 * MINUTE)
    expect(standing(after.token)).toBe('live')
  }
})

test('[mcp-sleep-and-jumps] the MCP SDK takes a credential after a suspend', async () => {
  let behindMs = 9 * HOUR
  const clock = { now: () => Date.now() - behindMs, monotonic: () => performance.now() }
  const { audit } = recordedAudit()
  const store = memoryCredentials({ clock })
  const credentials = createMcpCredentials({ store, audit, maximumLifetimeSeconds: 3600 })
  const { authorizationHeader } = await credentials.issue(agent)
  behindMs = 0
  const gate = requireMcpCredential({ credentials, audit, bindSessions: false })
  const app = express()
  const invalidToken = (message: string) => new InvalidTokenError(message)
  app.use(requireBearerAuth({ verifier: asOAuthTokenVerifier(gate, { invalidToken }) }))
  app.use((_request, response) => void response.json({}))
  const server = await serve(app)
  const answer = await send(server.port, { authorization: authorizationHeader })
  expect([answer.status, answer.text]).toEqual([200, '{}'])
  await server.close()
})

test('a day in the life: 40 hours in which an agent thinks for 25 minutes at a time, and one goes quiet', async () => {
  const { credentials, standing, pass } = memory()
  const thinking = await credentials.issue(agent)
  const watched = await credentials.issue({ ...agent, threadId: 'watched' })
  const quiet = await credentials.issue({ ...agent, threadId: 'quiet' })
  const ended = await credentials.issue({ ...agent, threadId: 'ended' })
  let calls = 0
  for (let ms = 0; ms < 40 * HOUR; ms += 25 * MINUTE) {
    pass(25 * MINUTE)
    expect(standing(thinking.token)).toBe('live')
    await credentials.touch('watched')
    calls += 1
    if (ms === 0) expect(standing(quiet.token)).toBe('live')
    if (ms === 50 * MINUTE) expect(standing(quiet.token)).toBe('idle')
    if (ms === 10 * HOUR) {
      await credentials.revokeThread('ended')
      expect(standing(ended.token)).toBe('revoked')
    } else if (ms < 10 * HOUR) expect(standing(ended.token)).toBe('live')
  }
  expect(calls).toBe(96)
  expect(standing(watched.token)).toBe('live')
  const last = await credentials.issue({ ...agent, threadId: 'last' })
  pass(30 * MINUTE)
  pass(MINUTE)
  expect(standing(last.token)).toBe('live')
  pass(31 * MINUTE + 1)
  expect(standing(last.token)).toBe('idle')
})

test('a full store refuses to issue and evicts nothing; dead credentials make room', async () => {
  const { credentials, standing, pass } = memory({}, { maxCredentials: 50 })
  const issued = []
  for (let index = 0; index < 50; index += 1) issued.push(await credentials.issue({ ...agent, threadId: `t${index}` }))
  const more = () => credentials.issue({ ...agent, threadId: 'more' })
  await expect(more()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS' })
  expect(issued.every(({ token }) => standing(token) === 'live')).toBe(true)
  const reissued = await credentials.issue({ ...agent, threadId: 't1' })
  expect([standing(reissued.token), standing(issued[1]?.token ?? '')]).toEqual(['live', 'unknown'])
  await expect(more()).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS' })
  await issued[0]?.revoke()
  pass(16 * SECOND)
  expect(standing((await more()).token)).toBe('live')
  await expect(credentials.issue({ ...agent, threadId: 'x' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS',
  })
  pass(40 * MINUTE)
  expect(standing((await credentials.issue({ ...agent, threadId: 'y' })).token)).toBe('live')
})

test('an idle credential that can be revived is not dropped to make room', async () => {
  const { credentials, standing, pass } = memory({ isAlive: () => true }, { maxCredentials: 2 })
  const first = await credentials.issue(agent)
  await credentials.issue({ ...agent, threadId: 't2' })
  pass(2 * HOUR)
  await expect(credentials.issue({ ...agent, threadId: 't3' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS',
  })
  expect(standing(first.token)).toBe('live')
})

/** A million in the long form. */
const COUNT = isLong ? 1_000_000 : 200_000

/** Measured in a process of its own: the test runner's own memory moves too much. */
function measure(what: string): Record<string, number> {
  const file = fileURLToPath(new URL('support/memory-process.ts', import.meta.url))
  const flags = [
    '--expose-gc',
    '--max-old-space-size=3000',
    '--conditions=dev-source',
    '--import',
    'tsx',
    file,
    what,
    `${COUNT}`,
  ]
  const run = spawnSync(process.execPath, flags, { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  if (run.status !== 0) throw new Error(run.stderr)
  const figures = JSON.parse(run.stdout) as Record<string, number>
  console.log(what, figures)
  return figures
}

test('up to a million credentials hold at most 650 bytes each, and slide at a constant cost', () => {
  const { bytesEach, slideMicrosecondsEmpty, slideMicrosecondsFull, refused, sweepMs } = measure('full')
  expect(bytesEach).toBeLessThanOrEqual(650)
  expect(slideMicrosecondsFull).toBeLessThan(8 * (slideMicrosecondsEmpty as number))
  expect(refused).toBe(1)
  expect(sweepMs).toBeLessThan(5000)
}, 600_000)

test('[mcp-million-issues] up to a million issues for one thread, and for revoked threads, leave memory bounded', () => {
  const { heldAfterOneThread, heldAfterManyThreads, grownMegabytes } = measure('issues')
  expect(heldAfterOneThread).toBeLessThanOrEqual(20_001)
  expect(heldAfterManyThreads).toBeLessThanOrEqual(20_002)
  // Issues that were kept would be 500 bytes each and more.
  expect(grownMegabytes).toBeLessThan(isLong ? 60 : 30)
}, 600_000)
