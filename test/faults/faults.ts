import { type RedisServer, untilFailedOver } from '../support/redis-server.js'
import { type Place, pause, untilInfo, type World } from './world.js'

/** A fault that lasts for some time, under traffic, and ends. */
export interface Fault {
  readonly name: string
  readonly place: Place
  /** Among those that are injected in every run. */
  readonly isShort: boolean
  /** Whether it costs 503s: `some`, or it was not injected. */
  readonly refusals: 'none' | 'some' | 'any'
  /** Whether Redis may have done in time what was answered 503 during the fault: the reply alone was lost. */
  readonly losesReplies: boolean
  begin?(world: World): Promise<unknown>
  /** What is to be done while it lasts. */
  during?(world: World, ms: number): Promise<void>
  end?(world: World): Promise<unknown>
}

/** Milliseconds each way: a script runs in time, and its reply comes after the deadline of 500 ms. */
const DELAY_MS = 260
/** Milliseconds for which a slot is on two nodes. */
const HALF_MOVED_MS = 150

export const KILLED: Fault = {
  name: 'kill −9',
  place: 'server',
  isShort: true,
  refusals: 'some',
  losesReplies: false,
  begin: ({ servers: [server] }) => server.kill(),
  end: ({ servers: [server] }) => server.restart(),
}

export const STOPPED: Fault = {
  name: 'SIGSTOP',
  place: 'server',
  isShort: true,
  refusals: 'some',
  losesReplies: false,
  begin: async ({ servers: [server] }) => server.pause(),
  end: async ({ servers: [server] }) => server.resume(),
}

export const FAULTS: readonly Fault[] = [
  KILLED,
  STOPPED,
  {
    name: 'READONLY',
    place: 'server',
    isShort: true,
    refusals: 'some',
    losesReplies: false,
    // Of a primary that nobody finds, so it keeps its data.
    begin: ({ servers: [server] }) => server.command('REPLICAOF', '127.0.0.1', '1'),
    end: ({ servers: [server] }) => server.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'OOM',
    place: 'server',
    isShort: true,
    refusals: 'some',
    losesReplies: false,
    begin: ({ servers: [server] }) => server.command('CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ servers: [server] }) => server.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'stall of the app',
    place: 'server',
    isShort: true,
    refusals: 'none',
    losesReplies: false,
    async during({ url }, ms) {
      const untilMs = performance.now() + ms
      while (performance.now() < untilMs) {
        const second = pause(1000)
        await fetch(`${url}/host/stall`, { method: 'POST' })
        await second
      }
    },
  },
  {
    name: 'outage of the key set',
    place: 'server',
    isShort: false,
    refusals: 'some',
    losesReplies: false,
    async begin({ issuer }) {
      issuer.hang()
      // From now on tokens are signed with a key that the app has not seen.
      await issuer.rotateKey()
    },
    end: async ({ issuer }) => issuer.recover(),
  },
  {
    name: 'late reply',
    place: 'network',
    isShort: true,
    refusals: 'some',
    losesReplies: true,
    begin: async ({ network }) => network?.delay(DELAY_MS),
    end: async ({ network }) => network?.resume(),
  },
  {
    // It ends by itself: the client finds it within its `socketTimeout`.
    name: 'half-open',
    place: 'network',
    isShort: false,
    refusals: 'some',
    losesReplies: false,
    begin: async ({ network }) => network?.halfOpen(),
  },
  {
    name: 'demotion',
    place: 'address',
    isShort: false,
    refusals: 'some',
    losesReplies: false,
    async begin({ servers }) {
      const [first, second] = servers as [RedisServer, RedisServer]
      // Coordinated, as an operator does it: the replica has everything when it takes over.
      await first.command('FAILOVER', 'TO', '127.0.0.1', String(second.port))
      await untilInfo(second, 'role:master')
      await untilInfo(first, 'role:slave')
    },
    async end({ servers: [, second], address }) {
      if (address !== undefined && second !== undefined) address.primary = second
    },
  },
  {
    name: 'slot move',
    place: 'cluster',
    isShort: false,
    refusals: 'any',
    losesReplies: true,
    async during({ servers }, ms) {
      const untilMs = performance.now() + ms
      const [first, second, third] = servers as [RedisServer, RedisServer, RedisServer]
      for (let count = 0; performance.now() < untilMs; count += 1) {
        const [from, to] = count % 2 === 0 ? [first, second] : [second, first]
        await moveSlot(await slotInUse(from), from, to, third)
      }
    },
  },
  {
    name: 'failover',
    place: 'cluster',
    isShort: false,
    refusals: 'some',
    losesReplies: true,
    begin: ({ servers: [first] }) => first.kill(),
    during: ({ servers: [first, ...others] }) => untilFailedOver(others, first),
    end: ({ servers: [first] }) => first.restart(),
  },
]

/** A slot of a node that has keys: the more it has, the likelier. */
async function slotInUse(node: RedisServer): Promise<number> {
  for (;;) {
    const key = (await node.command('RANDOMKEY')) as string | null
    if (key !== null) return Number(await node.command('CLUSTER', 'KEYSLOT', key))
  }
}

/** As `redis-cli --cluster reshard` does it, key by key, so that a slot is on two nodes for a while. */
async function moveSlot(slot: number, from: RedisServer, to: RedisServer, other: RedisServer): Promise<void> {
  const [fromId, toId] = (await Promise.all([from, to].map((node) => node.command('CLUSTER', 'MYID')))) as string[]
  const setSlot = (node: RedisServer, state: string, id: string | undefined) =>
    node.command('CLUSTER', 'SETSLOT', String(slot), state, String(id))
  await setSlot(to, 'IMPORTING', fromId)
  await setSlot(from, 'MIGRATING', toId)
  await pause(HALF_MOVED_MS)
  for (let isMoving = true; isMoving; ) {
    const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '20')) as string[]
    isMoving = keys.length > 0
    const migrate = ['127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys]
    if (isMoving) await from.command('MIGRATE', ...migrate)
  }
  for (const node of [to, from, other]) await setSlot(node, 'NODE', toId)
}
