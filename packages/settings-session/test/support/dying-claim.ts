// A process that is killed between the two writes of a claim: when the second would go out, after the one that reserves the
// identity's side. Its first claim, of another user, loads the scripts.
import type { SettingsIdentity } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { Redis } from 'ioredis'
import type { Token } from '../../src/tokens.js'
import { claim, opened } from './store-world.js'

const { session, identity } = JSON.parse(process.env.CLAIM ?? '') as {
  readonly session: Token
  readonly identity: SettingsIdentity
}
const redis = new Redis(process.env.REDIS_URL ?? '')
const store = redisSessions(redis, { commandTimeoutMs: 5000 })
const name = `of process ${process.pid}`
const first = { platform: 'slack', userId: name }
const other = { issuer: 'https://id.example.com', subject: name }
await claim(store, (await opened(store, first, { state: 'awaiting_identity' })).session, other)
const send = redis.sendCommand.bind(redis)
redis.sendCommand = (...args) => {
  const [{ name: command, args: sent }] = args
  // The last argument of the second write is the time of the reservation; those before have an empty one.
  if (command === 'evalsha' && sent.at(-1) !== '') process.kill(process.pid, 'SIGKILL')
  return send(...args)
}
await claim(store, session, identity)
