import { createMcpCredentials, type IssuedCredential, type McpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { agent } from './harness.js'

const UNAVAILABLE = { code: 'ERR_COUNTERSIGN_UNAVAILABLE' }
let server: RedisServer
let proxy: HangingRedis
let redis: Redis
let direct: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  proxy = await hangingRedis(server.port)
  direct = new Redis(server.url)
})
beforeEach(async () => {
  proxy.resume()
  await direct.flushall()
  redis = new Redis(proxy.url, { retryStrategy: () => 50 })
  redis.on('error', () => undefined)
})
afterEach(() => redis.disconnect())
afterAll(async () => {
  direct.disconnect()
  await proxy.close()
  await server.stop()
})

function world(commandTimeoutMs = 200) {
  const { audit, events } = recordedAudit()
  const credentials = createMcpCredentials({ store: redisCredentials(redis, { commandTimeoutMs }), audit })
  const watcher = createMcpCredentials({ store: redisCredentials(direct, { commandTimeoutMs: 10_000 }), audit })
  const standing = async ({ token }: IssuedCredential) => (await watcher.resolve(token)).standing
  return { credentials, watcher, events, standing }
}

async function eventually<T>(work: () => Promise<T>, holds: (value: T) => boolean = () => true): Promise<T> {
  for (;;) {
    try {
      const value = await work()
      if (holds(value)) return value
    } catch (error) {
      expect(error).toMatchObject(UNAVAILABLE)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Loses the reply of one step from the moment that it is sent: the step itself arrives. */
function loseReplyOf(step: 'mcp_issue' | 'mcp_confirm' | 'mcp_revoke'): void {
  const commands = redis as unknown as Record<string, (...args: unknown[]) => unknown>
  const name = Object.keys(commands).find((key) => new RegExp(`^countersign_${step}_[0-9a-f]{16}$`).test(key)) as string
  const send = commands[name]?.bind(redis) as (...args: unknown[]) => unknown
  commands[name] = (...args) => {
    commands[name] = send
    proxy.hangReplies()
    return send(...args)
  }
}

/** The answer of the next step that is not about a credential that is gone. */
function lastAnswer(): Promise<readonly string[]> {
  const commands = redis as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  return new Promise((resolve) => {
    for (const name of Object.keys(commands).filter((key) =>
      /^countersign_mcp_(issue|confirm)_[0-9a-f]{16}$/.test(key),
    )) {
      const send = commands[name]?.bind(redis) as (...args: unknown[]) => Promise<unknown>
      commands[name] = async (...args) => {
        const reply = (await send(...args)) as [number, readonly string[]]
        if (reply[1]?.[0] !== 'gone') resolve(reply[1])
        return reply
      }
    }
  })
}

test('[mcp-late-reply] with every byte late in both directions each of 600 changes counts once, and no holder is cut off', async () => {
  const { credentials, events, standing } = world(500)
  const threads = Array.from({ length: 200 }, (_, index) => ({ ...agent, threadId: `t${index}` }))
  const old = await Promise.all(threads.map((each) => eventually(() => credentials.issue(each))))
  // 260 ms each way with a deadline of 500 ms: a script runs in time, and its reply is late.
  proxy.delay(260)
  const named = threads.map((each) => ({ ...each, idempotencyKey: each.threadId }))
  const current = await Promise.all(named.map((each) => eventually(() => credentials.issue(each))))
  const revoked = await Promise.all(current.slice(0, 100).map((each) => eventually(() => each.revoke())))
  expect(revoked).toEqual(Array(100).fill(true))
  proxy.resume()
  await eventually(
    async () => events.filter(({ type }) => type === 'mcp.credential.superseded'),
    (told) => told.length === 200,
  )
  expect(new Set(await Promise.all(old.map(standing)))).toEqual(new Set(['superseded']))
  expect(new Set(await Promise.all(current.slice(100).map(standing)))).toEqual(new Set(['live']))
  expect(new Set(await Promise.all(current.slice(0, 100).map(standing)))).toEqual(new Set(['revoked']))
  const count = (type: string) => events.filter((event) => event.type === type).length
  expect([count('mcp.credential.issued'), count('mcp.credential.superseded')]).toEqual([400, 200])
  expect(count('mcp.credential.revoked')).toBe(100)
}, 60_000)

test('[mcp-late-reply] an issue that was never acknowledged cuts nobody off, counts nowhere, and dies after 60 s', async () => {
  const { credentials, watcher, standing } = world()
  const old = await credentials.issue(agent)
  loseReplyOf('mcp_issue')
  await expect(credentials.issue(agent)).rejects.toMatchObject(UNAVAILABLE)
  expect(await standing(old)).toBe('live')
  expect(await watcher.stats()).toEqual({ credentials: 1 })
  expect((await watcher.list()).credentials.map(({ credentialId }) => credentialId)).toEqual([old.credentialId])
  const lives = await Promise.all((await direct.keys('*:c:*')).map((key) => direct.pttl(key)))
  expect(lives.filter((ms) => ms > 0 && ms <= 60_000)).toHaveLength(1)
})

test('[mcp-late-reply] a retry with the same idempotencyKey gets the credential of the first attempt, once', async () => {
  const { credentials, events, standing } = world()
  const old = await credentials.issue(agent)
  loseReplyOf('mcp_issue')
  const named = { ...agent, idempotencyKey: 'hand-over-1' }
  await expect(credentials.issue(named)).rejects.toMatchObject(UNAVAILABLE)
  proxy.reset()
  proxy.resume()
  const issued = await eventually(() => credentials.issue(named))
  expect(await credentials.issue(named)).toBe(issued)
  expect([await standing(issued), await standing(old), issued.superseded]).toEqual(['live', 'superseded', 'done'])
  expect(await direct.keys('*:c:*')).toHaveLength(2)
  expect(events.filter(({ type }) => type === 'mcp.credential.issued')).toHaveLength(2)
  await expect(credentials.issue({ ...named, threadId: 'other' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_IDEMPOTENCY_KEY_REUSED',
  })
})

test('[mcp-late-reply] a supersession of unknown outcome is pending, and tried until it is known', async () => {
  const { credentials, events, standing } = world()
  const old = await credentials.issue(agent)
  loseReplyOf('mcp_confirm')
  const issued = await credentials.issue(agent)
  expect([issued.superseded, await standing(issued)]).toEqual(['pending', 'live'])
  proxy.reset()
  proxy.resume()
  await eventually(
    async () => events.filter(({ type }) => type === 'mcp.credential.superseded'),
    (told) => told.length === 1,
  )
  expect([await standing(issued), await standing(old)]).toEqual(['live', 'superseded'])
})

test('[mcp-late-reply] what is handed out and dies in a longer outage is written again', async () => {
  const { credentials, standing } = world()
  await credentials.issue(agent)
  loseReplyOf('mcp_confirm')
  const issued = await credentials.issue(agent)
  const [key = ''] = await direct.keys(`*:c:${issued.credentialId}`)
  // Its probation ends during the outage.
  await direct.del(key)
  proxy.reset()
  proxy.resume()
  await eventually(
    () => standing(issued),
    (found) => found === 'live',
  )
  expect(await direct.pttl(key)).toBeGreaterThan(60_000)
})

/** Issues, loses the end of it, and lets the credential die on probation. */
async function issueAndDie() {
  const { credentials, watcher, standing } = world()
  await credentials.issue(agent)
  loseReplyOf('mcp_confirm')
  const issued = await credentials.issue({ ...agent, providerSessionId: 's1' })
  const [key = ''] = await direct.keys(`*:c:${issued.credentialId}`)
  const die = () => direct.del(key)
  /** What the second step comes to when the issuer has Redis again: that it is done, or what the first one answers again. */
  const writtenAgain = () => {
    const answer = lastAnswer()
    proxy.reset()
    proxy.resume()
    return answer
  }
  return { watcher, standing, issued, die, writtenAgain }
}

test.each<[string, string, (watcher: McpCredentials, issued: IssuedCredential) => Promise<unknown>]>([
  ['revoke', 'done', (watcher, { credentialId }) => watcher.revoke(credentialId)],
  ['revokeThread', 'ended', (watcher, { threadId }) => watcher.revokeThread(threadId)],
  ['revokeProvider', 'ended', (watcher) => watcher.revokeProvider(agent.providerInstanceId)],
  ['revokeProviderSession', 'ended', (watcher) => watcher.revokeProviderSession('s1')],
  ['revokeAll', 'ended', (watcher) => watcher.revokeAll()],
  ['retire', 'retired', (watcher, { threadId }) => watcher.retire(threadId)],
])('[mcp-late-reply] what %s ends in a longer outage of its issuer is not written again', async (_, answer, end) => {
  const { watcher, standing, issued, die, writtenAgain } = await issueAndDie()
  await die()
  await end(watcher, issued)
  expect((await writtenAgain())[0]).toBe(answer)
  expect(await standing(issued)).not.toBe('live')
})

test('[mcp-late-reply] what is written again is no newer than what was issued meanwhile', async () => {
  const { watcher, standing, issued, die, writtenAgain } = await issueAndDie()
  await die()
  const newer = await watcher.issue(agent)
  expect((await writtenAgain())[0]).toBe('issued')
  expect([await standing(newer), await standing(issued)]).toEqual(['live', 'superseded'])
})

test('[mcp-late-reply] a credential that is revoked on probation stays revoked for longer than that', async () => {
  const { watcher, issued } = await issueAndDie()
  const [key = ''] = await direct.keys(`*:c:${issued.credentialId}`)
  await direct.hset(key, 'w', '1')
  await direct.pexpire(key, 60_000)
  expect(await watcher.revoke(issued.credentialId)).toBe(true)
  expect(await direct.pttl(key)).toBeGreaterThan(30 * 60_000)
})

test('[mcp-late-reply] a credential whose process died before the second step is kept once its holder uses it', async () => {
  const { credentials, watcher, standing } = world()
  await credentials.issue({ ...agent, threadId: 'other' })
  // The process never sends the second step.
  const commands = redis as unknown as Record<string, unknown>
  const confirm = Object.keys(commands).find((key) => /^countersign_mcp_confirm_[0-9a-f]{16}$/.test(key)) as string
  commands[confirm] = () => Promise.reject(new Error('the process died'))
  const issued = await credentials.issue(agent)
  const [key = ''] = await direct.keys(`*:c:${issued.credentialId}`)
  expect(await direct.pttl(key)).toBeLessThanOrEqual(60_000)
  expect(await standing(issued)).toBe('live')
  expect(await direct.pttl(key)).toBeGreaterThan(60_000)
  expect((await watcher.list({ threadId: agent.threadId })).credentials).toHaveLength(1)
})

test('[mcp-late-reply] revoke waits for a late reply, and its retry is true when the first attempt was done', async () => {
  const { credentials, events } = world()
  const other = await credentials.issue({ ...agent, threadId: 'other' })
  await other.revoke()
  const issued = await credentials.issue(agent)
  loseReplyOf('mcp_revoke')
  await expect(issued.revoke()).rejects.toMatchObject(UNAVAILABLE)
  proxy.reset()
  proxy.resume()
  expect(await eventually(() => issued.revoke())).toBe(true)
  expect(await issued.revoke()).toBe(false)
  expect(events.filter(({ type }) => type === 'mcp.credential.revoked')).toHaveLength(2)
})
