import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createAudit, memoryReplay } from '@countersign/core'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { memorySessions } from '@countersign/settings-session'
import session from 'express-session'
import { exportSPKI } from 'jose'
import { runInFlight } from '../measure.js'
import { inBatches } from './batches.js'
import { fastJwt, presentToken, RESOURCE, startIssuer } from './oauth.js'
import { open, openFromLink } from './open-session.js'
import { storeSession } from './settings.js'

/** Something that is kept once for each credential, session or signature. */
export interface Kept {
  readonly task: string
  readonly name: string
  readonly isOurs: boolean
  readonly count: number
  /** Makes `count` records and returns what holds them. */
  build(count: number): Promise<unknown>
}

const MANY = 1_000_000
/** Tokens are signed one by one. */
const TOKENS = 50_000

const names = (index: number) => ({ threadId: `thread-${index}`, providerInstanceId: 'provider' })

const credentials: readonly Kept[] = [
  {
    task: 'MCP credential',
    name: 'memoryCredentials',
    isOurs: true,
    count: MANY,
    async build(count) {
      const store = memoryCredentials({ maxCredentials: count })
      const made = createMcpCredentials({ store, audit: createAudit() })
      await inBatches(count, async (index) => {
        await made.issue({ ...names(index), capabilities: ['preview'] })
      })
      return made
    },
  },
  {
    task: 'MCP credential',
    name: 'a Map of objects by digest, for passport-http-bearer',
    isOurs: false,
    count: MANY,
    async build(count) {
      const known = new Map<string, object>()
      for (let index = 0; index < count; index += 1) {
        const hash = createHash('sha256').update(randomBytes(32)).digest('hex')
        const times = { issuedAt: Date.now(), expiresAt: Date.now() + 3_600_000 }
        known.set(hash, { id: randomUUID(), ...names(index), capabilities: ['preview'], ...times })
      }
      return known
    },
  },
]

const sessions: readonly Kept[] = [
  {
    task: 'Settings session',
    name: 'memorySessions',
    isOurs: true,
    count: MANY,
    async build(count) {
      const store = memorySessions({ maxEntries: count })
      await inBatches(count, (index) => open(store, `user-${index}`))
      return store
    },
  },
  {
    task: 'Settings session',
    name: 'memorySessions, with the link that opened it',
    isOurs: true,
    count: MANY,
    async build(count) {
      const store = memorySessions({ maxEntries: count })
      await inBatches(count, (index) => openFromLink(store, `user-${index}`))
      return store
    },
  },
  {
    task: 'Settings session',
    name: 'express-session, MemoryStore',
    isOurs: false,
    count: MANY,
    async build(count) {
      const store = new session.MemoryStore()
      await inBatches(count, (index) => storeSession(store, randomBytes(24).toString('base64url'), index))
      return store
    },
  },
]

const signature = () => randomBytes(32).toString('base64url')

const claims: readonly Kept[] = [
  {
    task: 'Replay claim',
    name: 'memoryReplay',
    isOurs: true,
    count: MANY,
    async build(count) {
      const store = memoryReplay({ maxEntries: count })
      for (let index = 0; index < count; index += 1) store.claim(signature(), 720_000)
      return store
    },
  },
  {
    task: 'Replay claim',
    name: 'a Map of expiries',
    isOurs: false,
    count: MANY,
    async build(count) {
      const seen = new Map<string, number>()
      for (let index = 0; index < count; index += 1) seen.set(signature(), Date.now() + 720_000)
      return seen
    },
  },
]

/** What a gate keeps of tokens that it has seen; a token itself is the caller's, and gone after the request. */
async function afterTokens(name: string, count: number, isOurs: boolean): Promise<unknown> {
  const issuer = await startIssuer('EdDSA')
  try {
    const handler = isOurs
      ? requireOAuthBearer({
          resource: RESOURCE,
          issuer: issuer.url,
          cache: { maxEntries: count },
          audit: createAudit(),
        })
      : fastJwt(await exportSPKI(issuer.publicKey as never), issuer, count)
    const variant = { name, isOurs, handler, wires: () => [] }
    await runInFlight(variant, [presentToken(await issuer.token())])
    await inBatches(count, async () => runInFlight(variant, [presentToken(await issuer.token())]))
    return handler
  } finally {
    await issuer.close()
  }
}

const cached = (name: string, isOurs: boolean): Kept => ({
  task: 'Cached token',
  name,
  isOurs,
  count: TOKENS,
  build: (count) => afterTokens(name, count, isOurs),
})

export const keptRecords: readonly Kept[] = [
  ...credentials,
  ...sessions,
  ...claims,
  cached('requireOAuthBearer', true),
  cached('fast-jwt, its cache', false),
]
