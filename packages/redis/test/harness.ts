import type { ReplayStore } from '@countersign/core'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import type { RedisClient } from '../src/index.js'

const clients: { disconnect(): void }[] = []

/** A client on ioredis's defaults but for what a test says, closed by {@link disconnectAll}. */
export function client(url: string, options: object = {}): Redis {
  return kept(new Redis(url, options))
}

/** One of ioredis 5.9, the oldest that is supported. */
export function client5(url: string, options: object = {}): RedisClient {
  return kept(new Redis5(url, options)) as unknown as RedisClient
}

export function clusterClient(ports: readonly number[], options: object = {}): Cluster {
  return kept(
    new Cluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      options,
    ),
  )
}

function kept<C extends { disconnect(): void; on(event: 'error', listener: () => void): unknown }>(made: C): C {
  made.on('error', () => undefined)
  clients.push(made)
  return made
}

export function disconnectAll(): void {
  for (const each of clients.splice(0)) each.disconnect()
}

/** Tries again until it holds, for as long as a test may last. */
export async function eventually<T>(work: () => Promise<T>, holds: (value: T) => boolean = () => true): Promise<T> {
  const untilMs = performance.now() + 15_000
  for (;;) {
    try {
      const value = await work()
      if (holds(value) || performance.now() > untilMs) return value
    } catch (error) {
      if (performance.now() > untilMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** What a call rejects with when Redis cannot be asked. */
export const unavailable = { name: 'UnavailableError', code: 'ERR_COUNTERSIGN_UNAVAILABLE' } as const

/** What a claim comes to: `fresh`, `seen`, or the text of its error. */
export async function outcomeOf(store: ReplayStore, key: string, ttlMs = 60_000): Promise<string> {
  try {
    return await store.claim(key, ttlMs)
  } catch (error) {
    return String(error)
  }
}
