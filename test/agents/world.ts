import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMcpCredentials, type McpCredentials } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { Redis } from 'ioredis'
import { type ChildApp, startChildApp } from '../support/child-app.js'
import { freePort, RedisServer } from '../support/redis-server.js'

/** One request to the app, as its process told it. */
export interface Asked {
  /** When it arrived, in milliseconds since the epoch: it is told when it has been answered. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly rpc: string
  readonly accept: string | undefined
  readonly type: string | undefined
  readonly body: unknown
  readonly status: number
  readonly answered: string
}

/** The app, its Redis, the registry that issues, and folders for one agent. */
export interface World {
  readonly folder: string
  readonly url: string
  readonly credentials: McpCredentials
  readonly redis: RedisServer
  /** What was answered so far. */
  readonly asked: readonly Asked[]
  /** The next request has come. */
  nextArrival(): Promise<unknown>
  restart(): Promise<void>
  /** The store is there again, and the app knows. */
  resume(): Promise<void>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly idleSeconds: number
  readonly settings: Readonly<Record<string, string>>
}

const APP = fileURLToPath(new URL('app-process.ts', import.meta.url))

export async function makeWorld(below: string, { idleSeconds, settings }: WorldOptions): Promise<World> {
  const redis = await RedisServer.start('--appendonly', 'yes')
  const connection = new Redis(redis.url, { commandTimeout: 1000, socketTimeout: 5000 })
  connection.on('error', () => undefined)
  const store = redisCredentials(connection)
  const credentials = createMcpCredentials({ store, idleTimeoutSeconds: idleSeconds })
  const port = String(await freePort())
  const url = `http://127.0.0.1:${port}/mcp`
  const probe = await credentials.issue({ threadId: 'probe', providerInstanceId: 'probe' })
  const asked: Asked[] = []
  const arrived = new EventEmitter()
  const start = async (): Promise<ChildApp> => {
    const env = { PORT: port, REDIS: redis.url, IDLE_SECONDS: String(idleSeconds), ...settings }
    const app = await startChildApp(APP, env)
    app.process.on('message', (message) => {
      if (message === 'arrived') arrived.emit('request')
      else asked.push(message as Asked)
    })
    return app
  }
  let app = await start()
  const folder = mkdtempSync(join(below, 'place-'))
  return {
    folder,
    url,
    credentials,
    redis,
    asked,
    nextArrival: () => once(arrived, 'request'),
    async restart() {
      await app.stop()
      app = await start()
    },
    async resume() {
      const { authorizationHeader } = probe
      redis.resume()
      const headers = { Authorization: authorizationHeader, 'X-Probe': 'yes', 'Content-Type': 'application/json' }
      while ((await fetch(url, { method: 'POST', headers, body: '{}' })).status === 503) {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    async close() {
      await app.stop()
      connection.disconnect()
      redis.resume()
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
