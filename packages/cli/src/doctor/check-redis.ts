import { adviseOnConnection } from '@countersign/redis'
import type { Cluster, Redis } from 'ioredis'
import { type Check, caution, fail, pass, skip } from '../checks.js'
import { withRedis } from '../connect/redis.js'
import type { Context } from '../context.js'
import { CommandError } from '../errors.js'

/** The oldest version that the stores are tested on. */
const LEAST_VERSION = [7, 0] as const
const OFF_MS = 1000
const SLOW_MS = 50

/** Whether Redis answers, keeps its data, and has the right time. */
export async function checkRedis(context: Context): Promise<Check[]> {
  const { REDIS_URL, REDIS_URL_FILE } = context.env
  if ((REDIS_URL ?? REDIS_URL_FILE) === undefined) return [skip('redis', 'REDIS_URL is not set')]
  try {
    return await withRedis(context, {}, checkServer)
  } catch (error) {
    const remedy = error instanceof CommandError ? 'Gates that need Redis answer 503 until then.' : 'See the message.'
    return [fail('redis', (error as Error).message, remedy)]
  }
}

async function checkServer(redis: Redis | Cluster): Promise<Check[]> {
  const server = redis.isCluster ? ((redis as Cluster).nodes('master')[0] as Redis) : (redis as Redis)
  const info = parseInfo(await server.info())
  const advice = await adviseOnConnection(redis)
  return [
    checkVersion(info),
    checkRole(info),
    ...(await checkCluster(redis)),
    await checkClock(server),
    checkMemory(info),
    ...advice.map(({ code, setting, value, danger, remedy }) => {
      const id = `redis-${code.replace('COUNTERSIGN_REDIS_', '').toLowerCase().replaceAll('_', '-')}`
      const words = `${setting} is ${value}: ${danger}`
      return code === 'COUNTERSIGN_REDIS_EVICTS' ? fail(id, words, remedy) : caution(id, words, remedy)
    }),
    ...(advice.length === 0 ? [pass('redis-settings', 'it evicts no keys and writes an append-only file')] : []),
  ]
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(Array.from(text.matchAll(/^([a-z_0-9]+):(.*?)\r?$/gm), ([, name = '', value = '']) => [name, value]))
}

function checkVersion(info: ReadonlyMap<string, string>): Check {
  const version = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1])
  if (!isOld) return pass('redis', `Redis ${version} answers`)
  const words = `Redis ${version} is older than the versions that the stores are tested with`
  return caution('redis', words, `Use ${LEAST_VERSION.join('.')} or later.`)
}

function checkRole(info: ReadonlyMap<string, string>): Check {
  const role = info.get('role') ?? 'unknown'
  if (role === 'master') return pass('redis-role', 'it is a primary')
  return fail('redis-role', `it is a ${role}: nothing can be written`, 'Point REDIS_URL to the primary.')
}

async function checkCluster(redis: Redis | Cluster): Promise<Check[]> {
  if (!redis.isCluster) return []
  const state = /cluster_state:(\w+)/.exec(String(await redis.cluster('INFO')))?.[1]
  const masters = (redis as Cluster).nodes('master').length
  if (state === 'ok') return [pass('redis-cluster', `a cluster of ${masters} primaries`)]
  return [fail('redis-cluster', `the cluster's state is ${state}`, 'Repair it: some slots have no server.')]
}

/** The server's clock decides when credentials and sessions expire. */
async function checkClock(server: Redis): Promise<Check> {
  const sentMs = Date.now()
  const started = performance.now()
  const [seconds, microseconds] = (await server.time()) as unknown as [number | string, number | string]
  const elapsedMs = performance.now() - started
  const offsetMs = Number(seconds) * 1000 + Number(microseconds) / 1000 - (sentMs + elapsedMs / 2)
  const words = `its clock is ${(Math.abs(offsetMs) / 1000).toFixed(2)} s ${offsetMs < 0 ? 'behind' : 'ahead'}, it answers in ${elapsedMs.toFixed(1)} ms`
  if (Math.abs(offsetMs) - elapsedMs / 2 > OFF_MS)
    return caution('redis-clock', words, 'Synchronise both clocks (NTP).')
  if (elapsedMs > SLOW_MS)
    return caution('redis-clock', words, 'Every decision waits for Redis: run it closer to the app.')
  return pass('redis-clock', words)
}

function checkMemory(info: ReadonlyMap<string, string>): Check {
  const used = Number(info.get('used_memory'))
  const most = Number(info.get('maxmemory') ?? 0)
  const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`
  if (most === 0) return pass('redis-memory', `${mib(used)} used, no limit`)
  const words = `${mib(used)} of ${mib(most)} used`
  if (used / most < 0.9) return pass('redis-memory', words)
  return caution('redis-memory', words, 'When it is full, writes fail and the gates answer 503: raise maxmemory.')
}
