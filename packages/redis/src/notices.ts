// Not the global ones: a test of the app that fakes them must not see these.
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import { withDeadline } from '@countersign/core/gate-kit'
import type { Redis } from 'ioredis'
import { assertClient, clientOptions, isCluster, type RedisClient } from './client.js'

/** A channel on which the processes of a store tell each other what has changed. Notices may be lost. */
export interface Notices {
  /** What a script publishes on. The client's `keyPrefix` is in it. */
  readonly channel: string
  /**
   * Hears what is published. `onGap` is called each time that hearing begins: what was published before is unknown. Returns
   * the function that ends it.
   */
  listen(onNotice: (text: string) => void, onGap: () => void): () => void
}

/** Makes the channel of a store. It connects when somebody listens, and not before. */
export function createNotices(redis: RedisClient, name: string): Notices {
  assertClient(redis, 'createNotices')
  const channel = `${clientOptions(redis).keyPrefix ?? ''}${name}`
  return {
    channel,
    listen(onNotice, onGap) {
      const listener: Listener = { channel, onNotice, onGap }
      const subscriber = subscriberOf(redis)
      subscriber.add(listener)
      return () => subscriber.remove(listener)
    },
  }
}

interface Listener {
  readonly channel: string
  readonly onNotice: (text: string) => void
  readonly onGap: () => void
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 30_000
/** A connection that died unnoticed hears nothing, and sends nothing that would fail. */
const PING_MS = 2000

/** What a subscriber's connection must be like, whatever the client is like: it has no commands that could be lost. */
const SUBSCRIBER_OPTIONS = {
  lazyConnect: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  autoResubscribe: false,
  keyPrefix: '',
  commandTimeout: undefined,
  reconnectOnError: null,
  retryStrategy: () => null,
}

/** The one connection of a client on which notices are heard: a copy of it, or of one master of a cluster. */
class Subscriber {
  readonly #redis: RedisClient
  readonly #listeners = new Set<Listener>()
  #client: Redis | undefined
  #pings: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS

  constructor(redis: RedisClient) {
    this.#redis = redis
    // It lives as long as the client: nothing else would let a process end.
    redis.on('end', () => this.#disconnect())
    redis.on('ready', () => this.#connect())
  }

  add(listener: Listener): void {
    this.#listeners.add(listener)
    const client = this.#client
    if (client === undefined) this.#connect()
    else if (client.status === 'ready') this.#subscribe(client, [listener])
  }

  remove(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return
    if (this.#listeners.size === 0) this.#disconnect()
  }

  #connect(): void {
    const redis = this.#redis
    if (this.#client !== undefined || this.#listeners.size === 0 || redis.status === 'end') return
    clearTimeout(this.#retry)
    const masters = isCluster(redis) ? redis.nodes('master') : [redis]
    const source = masters[Math.floor(Math.random() * masters.length)]
    if (source === undefined) return this.#connectLater()
    const client = source.duplicate(SUBSCRIBER_OPTIONS)
    this.#client = client
    client.on('error', () => undefined)
    client.on('message', (channel: string, text: string) => {
      for (const listener of this.#listeners) if (listener.channel === channel) listener.onNotice(text)
    })
    client.once('ready', () => this.#subscribe(client, [...this.#listeners]))
    client.once('end', () => {
      if (this.#client !== client) return
      this.#forget()
      this.#connectLater()
    })
    this.#pings = setInterval(() => {
      if (client.status === 'ready') withDeadline(client.ping(), PING_MS, 'PING').catch(() => client.disconnect())
    }, PING_MS).unref()
  }

  #subscribe(client: Redis, listeners: readonly Listener[]): void {
    const channels = new Set(listeners.map(({ channel }) => channel))
    client.subscribe(...channels).then(
      () => {
        this.#retryMs = FIRST_RETRY_MS
        for (const { onGap } of listeners) onGap()
      },
      // A user that may not: its rights may be mended.
      () => client.disconnect(),
    )
  }

  #connectLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs).unref()
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS)
  }

  #forget(): void {
    clearInterval(this.#pings)
    this.#client = undefined
  }

  #disconnect(): void {
    clearTimeout(this.#retry)
    const client = this.#client
    this.#forget()
    client?.disconnect()
  }
}

const subscribers = new WeakMap<RedisClient, Subscriber>()

function subscriberOf(redis: RedisClient): Subscriber {
  let subscriber = subscribers.get(redis)
  if (subscriber === undefined) {
    subscriber = new Subscriber(redis)
    subscribers.set(redis, subscriber)
  }
  return subscriber
}
