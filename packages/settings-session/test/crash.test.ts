import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { SettingsIdentity } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { identityKey } from '../src/store/keys.js'
import type { Token } from '../src/tokens.js'
import { claim, newIdentity, newUser, opened } from './support/store-world.js'

const awaiting = { state: 'awaiting_identity' } as const

let server: RedisServer
let healthy: SettingsStore
let client: Redis
const others: Redis[] = []
beforeAll(async () => {
  server = await RedisServer.start()
  client = new Redis(server.url)
  healthy = redisSessions(client, { commandTimeoutMs: 5000 })
})
afterAll(async () => {
  for (const redis of [client, ...others]) redis?.disconnect()
  await server?.stop()
})

type Command = (...args: (string | number)[]) => Promise<unknown>

/** A process whose second write of a claim is replaced. Its first claim, of another user, defines the commands. */
async function processWith(secondWrite: (command: Command, args: (string | number)[]) => Promise<unknown>) {
  const redis = new Redis(server.url)
  others.push(redis)
  const store = redisSessions(redis, { commandTimeoutMs: 5000 })
  await claim(store, (await opened(store, newUser(), awaiting)).session, newIdentity())
  const commands = redis as unknown as Record<string, Command>
  // There is a command for each number of keys. The last argument of the second write is the time of the reservation.
  for (const name of Object.keys(redis).filter((key) => key.startsWith('countersign_settings_claim_'))) {
    const command = (commands[name] as Command).bind(redis)
    commands[name] = (...args) => (args.at(-1) === '' ? command(...args) : secondWrite(command, args))
  }
  return { store }
}

/** Lets a minute pass for the entries of identities. */
async function aMinutePasses(): Promise<void> {
  for (const key of await client.keys('*:r:*')) await client.hincrby(key, 'at', -60_000)
}

const DYING_CLAIM = fileURLToPath(new URL('./support/dying-claim.ts', import.meta.url))

/** Claims in a process of its own, which is killed between the two writes. */
async function claimAndDie(session: Token, identity: SettingsIdentity): Promise<void> {
  const child = spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', DYING_CLAIM], {
    env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: server.url, CLAIM: JSON.stringify({ session, identity }) },
    stdio: 'inherit',
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  // It died after the first write: the identity's side holds an entry without its other half.
  expect(await client.keys(`*:r:${identityKey(identity, { platform: 'slack', userId: '' })}`)).toHaveLength(1)
}

test('[settings-identity] a process that is killed between the two writes blocks others for a minute at most', async () => {
  const identity = newIdentity()
  const user = newUser()
  await claimAndDie((await opened(healthy, user, awaiting)).session, identity)
  expect(await healthy.identityOf(user)).toBeUndefined()
  // Somebody else waits, and is not refused for good.
  const other = newUser()
  const waiting = (await opened(healthy, other, awaiting)).session
  expect((await claim(healthy, waiting, identity)).outcome).toBe('contended')
  expect(await healthy.read(waiting)).toMatchObject({ outcome: 'found' })
  await aMinutePasses()
  expect((await claim(healthy, waiting, identity)).outcome).toBe('activated')
  // And the one whose process died is not the identity's user any more.
  expect((await claim(healthy, (await opened(healthy, user, awaiting)).session, identity)).outcome).toBe('taken')
}, 30_000)

test('[settings-identity] after a crash the same user can claim immediately', async () => {
  const identity = newIdentity()
  const { session } = await opened(healthy, newUser(), awaiting)
  await claimAndDie(session, identity)
  // The very session that was under way: its secret still stands.
  expect((await claim(healthy, session, identity)).outcome).toBe('activated')
}, 30_000)

test('[settings-identity] a process that slept between the two writes is too late, and takes nothing from the new owner', async () => {
  const identity = newIdentity()
  const other = newUser()
  const sleeping = await processWith(async (command, args) => {
    await aMinutePasses()
    const taken = await claim(healthy, (await opened(healthy, other, awaiting)).session, identity)
    expect(taken.outcome).toBe('activated')
    // What it knows of its reservation is a minute old by now.
    return command(...args.slice(0, -1), Number(args.at(-1)) - 60_000)
  })
  const user = newUser()
  expect((await claim(sleeping.store, (await opened(healthy, user, awaiting)).session, identity)).outcome).toBe(
    'contended',
  )
  expect(await healthy.identityOf(user)).toBeUndefined()
  expect(await healthy.identityOf(other)).toEqual(identity)
  // Its undoing left the new owner's entry alone.
  expect((await claim(healthy, (await opened(healthy, user, awaiting)).session, identity)).outcome).toBe('taken')
})

test("an entry whose user is bound stays that user's, however old it is", async () => {
  const identity = newIdentity()
  await claim(healthy, (await opened(healthy, newUser(), awaiting)).session, identity)
  await aMinutePasses()
  expect((await claim(healthy, (await opened(healthy, newUser(), awaiting)).session, identity)).outcome).toBe('taken')
})
