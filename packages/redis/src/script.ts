import { createHash } from 'node:crypto'
import type { RedisClient } from './client.js'

/** A Lua script with a name for people and a fixed number of keys, all declared and in one hash slot. */
export interface RedisScript {
  /** For people; part of the name of the client's command. */
  readonly name: string
  /** How many keys it takes. */
  readonly keys: number
  /** The whole script, with its deadline check. */
  readonly lua: string
}

/**
 * Describes a script. Its body sees `KEYS`, `ARGV` (the caller's arguments only), `now`, the server's time in
 * ms since the epoch, and `time`, the reply of `TIME`. It runs only before the deadline of
 * its call: a call that timed out has no effect later.
 *
 * `nil` and `false` both come back as `null`; numbers are cut to integers, so return others as strings.
 */
export function defineScript(name: string, keys: number, body: string): RedisScript {
  return { name, keys, lua: `${PROLOGUE}local function body()\n${body}\nend\n${EPILOGUE}` }
}

// The first argument is the deadline on the server's clock. A command that ioredis sends again, or that a stopped
// server reads when it continues, arrives after the deadline and does nothing. A negative time in the reply says so.
const PROLOGUE = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(table.remove(ARGV, 1)) then return {-now} end
`
const EPILOGUE = `local result = body()
if result == nil then result = false end
return {now, result}
`

/** Does nothing but tell the time: it is the PING that shows that the server answers again. */
export const probeScript: RedisScript = defineScript('probe', 1, 'return true')

type Command = (...args: (string | number | Buffer)[]) => Promise<unknown>

/**
 * The client's command for a script. The name carries a hash of the script, so two versions of a package on one client
 * do not overwrite each other.
 */
export function commandOf(redis: RedisClient, script: RedisScript): Command {
  let name = names.get(script)
  if (name === undefined) {
    name = `countersign_${script.name}_${createHash('sha256').update(script.lua).digest('hex').slice(0, 16)}`
    names.set(script, name)
  }
  const commands = redis as unknown as Record<string, Command | undefined>
  if (commands[name] === undefined) redis.defineCommand(name, { numberOfKeys: script.keys, lua: script.lua })
  return (commands[name] as Command).bind(redis)
}

const names = new WeakMap<RedisScript, string>()
