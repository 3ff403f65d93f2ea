import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  createMcpCredentials,
  type McpCredentialStore,
  memoryCredentials,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { RequestHandler } from 'express'
import { Redis } from 'ioredis'
import passport from 'passport'
import { Strategy as BearerStrategy } from 'passport-http-bearer'
import type { Case, Setup, Variant } from '../case.js'
import { type Wire, wire } from '../wire.js'
import { listeningAudit } from './listening.js'
import { startRedis } from './redis.js'

const LIVE = 1000

const inTurn = (headers: readonly string[]): Variant['wires'] => {
  let turn = 0
  const one = (): Wire => wire('POST', '/mcp', { authorization: headers[turn++ % headers.length] as string })
  return (count) => Array.from({ length: count }, one)
}

async function ours(store: McpCredentialStore, live: number) {
  const audit = listeningAudit()
  const credentials = createMcpCredentials({ store, audit })
  const headers: string[] = []
  for (let index = 0; index < live; index += 1) {
    const issued = await credentials.issue({
      threadId: `thread-${index}`,
      providerInstanceId: 'provider',
      capabilities: ['preview'],
    })
    headers.push(issued.authorizationHeader)
  }
  const handler = requireMcpCredential({ credentials, audit })
  const variant: Variant = { name: 'requireMcpCredential', isOurs: true, handler, wires: inTurn(headers) }
  return { variant, close: () => credentials.close() }
}

const tokens = (count: number) => Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
const digest = (token: string) => createHash('sha256').update(token).digest('hex')
const bearer = (list: readonly string[]) => inTurn(list.map((token) => `Bearer ${token}`))

function passportBearer(live: number): Variant {
  const list = tokens(live)
  const known = new Map(list.map((token) => [digest(token), { user: 'thread', expiresAt: Date.now() + 3_600_000 }]))
  const strategy = new BearerStrategy((token, done) => {
    const found = known.get(digest(token))
    done(null, found !== undefined && found.expiresAt > Date.now() ? found.user : false)
  })
  const authenticator = new passport.Passport().use(strategy)
  const handler = authenticator.authenticate('bearer', { session: false }) as RequestHandler
  return { name: 'passport-http-bearer', isOurs: false, handler, wires: bearer(list) }
}

async function storeTokens(redis: Redis, list: readonly string[]): Promise<void> {
  for (const token of list) {
    const record = { clientId: 'thread', scopes: ['preview'], secret: digest(token) }
    await redis.set(`bench:${digest(token)}`, JSON.stringify(record), 'PX', 1_800_000)
  }
}

async function sdkOverRedis(redis: Redis): Promise<Variant> {
  const list = tokens(LIVE)
  await storeTokens(redis, list)
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
  return { name: 'MCP SDK, GET and PEXPIRE', isOurs: false, handler, wires: bearer(list) }
}

async function byHandOverRedis(redis: Redis): Promise<Variant> {
  const list = tokens(LIVE)
  await storeTokens(redis, list)
  const handler: RequestHandler = (request, response, next) => {
    const token = (request.headers.authorization ?? '').slice(7)
    redis.get(`bench:${digest(token)}`).then((found) => {
      const record = found === null ? undefined : (JSON.parse(found) as { secret: string })
      if (record !== undefined && timingSafeEqual(Buffer.from(record.secret), Buffer.from(digest(token)))) next()
      else response.status(401).end()
    }, next)
  }
  return { name: 'by hand, GET alone', isOurs: false, handler, wires: bearer(list) }
}

async function onRedis(): Promise<Setup> {
  const server = await startRedis()
  const clients = Array.from({ length: 3 }, () => new Redis(server.url)) as [Redis, Redis, Redis]
  const { variant, close } = await ours(redisCredentials(clients[0]), LIVE)
  return {
    variants: [variant, await sdkOverRedis(clients[1]), await byHandOverRedis(clients[2])],
    close: async () => {
      await close()
      for (const client of clients) client.disconnect()
      await server.close()
    },
  }
}

/** Our own cost as the number of live credentials grows; the peer is the same at each size. */
export function growth(live: number): Case {
  return {
    id: `mcp-memory-${live}`,
    title: `MCP credential, memory, ${live.toLocaleString('en')} live`,
    setup: async () => {
      const store = memoryCredentials({ maxCredentials: live + 1 })
      const { variant, close } = await ours(store, live)
      return { variants: [variant, passportBearer(live)], close: async () => close() }
    },
  }
}

export const mcpCases: readonly Case[] = [
  growth(LIVE),
  { id: 'mcp-redis', title: 'MCP credential, Redis', setup: onRedis },
]
