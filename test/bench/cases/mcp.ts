import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { RequestHandler } from 'express'
import { Redis } from 'ioredis'
import passport from 'passport'
import { Strategy as BearerStrategy } from 'passport-http-bearer'
import { type Case, inTurn, type Setup, type Traffic, type Variant } from '../case.js'
import { wire } from '../wire.js'
import { inBatches } from './batches.js'
import { listeningAudit } from './listening.js'
import { patient, startRedis } from './redis.js'
import { live, MEMORY_SIZES, REDIS_SIZES } from './sizes.js'

const LIVE = 1000

const presenting = (headers: readonly string[]): Traffic =>
  inTurn(headers, (authorization) => wire('POST', '/mcp', { authorization }))

/** The gate among so many credentials. */
export async function ours(
  store: McpCredentialStore,
  count: number,
): Promise<{ variant: Variant; close(): Promise<void> }> {
  const audit = listeningAudit()
  const credentials = createMcpCredentials({ store, audit })
  const headers = await inBatches(count, async (index) => {
    const subject = { threadId: `thread-${index}`, providerInstanceId: 'provider', capabilities: ['preview'] }
    return (await credentials.issue(subject)).authorizationHeader
  })
  const handler = requireMcpCredential({ credentials, audit })
  return {
    variant: { name: 'requireMcpCredential', isOurs: true, handler, ...presenting(headers) },
    close: () => credentials.close(),
  }
}

const tokens = (count: number) => Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
const digest = (token: string) => createHash('sha256').update(token).digest('hex')
const bearer = (list: readonly string[]) => presenting(list.map((token) => `Bearer ${token}`))

function passportBearer(count: number): Variant {
  const list = tokens(count)
  const known = new Map(list.map((token) => [digest(token), { user: 'thread', expiresAt: Date.now() + 3_600_000 }]))
  const strategy = new BearerStrategy((token, done) => {
    const found = known.get(digest(token))
    done(null, found !== undefined && found.expiresAt > Date.now() ? found.user : false)
  })
  const authenticator = new passport.Passport().use(strategy)
  const handler = authenticator.authenticate('bearer', { session: false }) as RequestHandler
  return { name: 'passport-http-bearer', isOurs: false, handler, ...bearer(list) }
}

async function storedTokens(redis: Redis, count: number): Promise<string[]> {
  const list = tokens(count)
  await inBatches(count, (index) => {
    const hash = digest(list[index] as string)
    const record = { clientId: 'thread', scopes: ['preview'], secret: hash }
    return redis.set(`bench:${hash}`, JSON.stringify(record), 'PX', 1_800_000)
  })
  return list
}

async function sdkOverRedis(redis: Redis, count: number): Promise<Variant> {
  const list = await storedTokens(redis, count)
  const verifyAccessToken = async (token: string) => {
    const key = `bench:${digest(token)}`
    const [found] = await Promise.all([redis.get(key), redis.pexpire(key, 1_800_000)])
    if (found === null) throw new Error('unknown')
    return {
      token,
      ...(JSON.parse(found) as { clientId: string; scopes: string[] }),
      expiresAt: Date.now() / 1000 + 1800,
    }
  }
  const handler = requireBearerAuth({ verifier: { verifyAccessToken } }) as never
  return { name: 'MCP SDK, GET and PEXPIRE', isOurs: false, handler, ...bearer(list) }
}

async function byHandOverRedis(redis: Redis, count: number): Promise<Variant> {
  const list = await storedTokens(redis, count)
  const handler: RequestHandler = (request, response, next) => {
    const token = (request.headers.authorization ?? '').slice(7)
    redis.get(`bench:${digest(token)}`).then((found) => {
      const record = found === null ? undefined : (JSON.parse(found) as { secret: string })
      if (record !== undefined && timingSafeEqual(Buffer.from(record.secret), Buffer.from(digest(token)))) next()
      else response.status(401).end()
    }, next)
  }
  return { name: 'by hand, GET alone', isOurs: false, handler, ...bearer(list) }
}

async function inMemory(count: number): Promise<Setup> {
  const { variant, close } = await ours(memoryCredentials({ maxCredentials: count + 1 }), count)
  return { variants: [variant, passportBearer(count)], close }
}

/** Beside one peer or both: to make a million of what each keeps takes a while. */
async function onRedis(count: number, peers: readonly (typeof sdkOverRedis)[]): Promise<Setup> {
  const server = await startRedis()
  const connect = () => new Redis(server.url)
  const clients = [connect(), ...peers.map(connect)] as [Redis, ...Redis[]]
  const { variant, close } = await ours(redisCredentials(clients[0], patient), count)
  const others = await Promise.all(peers.map((peer, index) => peer(clients[index + 1] as Redis, count)))
  return {
    variants: [variant, ...others].map((one) => ({ ...one, redis: server.url })),
    close: async () => {
      await close()
      for (const client of clients) client.disconnect()
      await server.close()
    },
  }
}

export const mcpCases: readonly Case[] = [
  { id: 'mcp-memory', title: 'MCP credential, memory', setup: () => inMemory(LIVE) },
  { id: 'mcp-redis', title: 'MCP credential, Redis', setup: () => onRedis(LIVE, [sdkOverRedis, byHandOverRedis]) },
]

export const mcpGrowth: readonly Case[] = [
  { id: 'live-mcp-memory', title: 'Live MCP credentials, memory', setup: () => live(MEMORY_SIZES, inMemory) },
  {
    id: 'live-mcp-redis',
    title: 'Live MCP credentials, Redis',
    setup: () => live(REDIS_SIZES, (count) => onRedis(count, [sdkOverRedis])),
  },
]
