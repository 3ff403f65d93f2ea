import { createHash } from 'node:crypto'
import type { RedisClient } from './client.js'

/**
 * A Lua script with a name for people. Every key that it touches is declared, in `KEYS`: a client may put its own `keyPrefix`
 * before those, and no others. All lie in one hash slot.
 */
export interface RedisScript {
  /** For people; part of the name of the client's command. */
  readonly name: string
  /** How many keys it takes; a call may declare more. */
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

/** A short script that several calls of one turn of the event loop may share: it runs once for each. */
export interface SharedScript extends RedisScript {
  /** How many arguments each call has. */
  readonly args: number
}

/** What a {@link SharedScript} is made of. */
export interface SharedScriptParts {
  /** What the body calls the keys of one call. */
  readonly keys: readonly string[]
  /** What the body calls the arguments of one call. */
  readonly args: readonly string[]
  /** Lua for all calls together, before the first. It sees no keys, but `now`, and `call` and `sub`, which are `redis.call` and `string.sub`. */
  readonly once?: string | undefined
  /** Lua for each call. It answers a number, a text, or nothing. */
  readonly body: string
}

/** Describes a script that several calls may share. One that is late is late for all of them, and does nothing. */
export function defineSharedScript(name: string, { keys, args, once = '', body }: SharedScriptParts): SharedScript {
  const given = [
    ...keys.map((_, index) => `KEYS[key + ${index + 1}]`),
    ...args.map((_, index) => `ARGV[arg + ${index + 1}]`),
  ]
  const lua = `${TIME}if now > tonumber(ARGV[1]) then return {-now} end
local call, sub, tonumber = redis.call, string.sub, tonumber
${once}local function body(${[...keys, ...args].join(', ')})
${body}
end
local results, key, arg = {}, 0, 1
for index = 1, #KEYS / ${keys.length} do
  results[index] = body(${given.join(', ')}) or false
  key, arg = key + ${keys.length}, arg + ${args.length}
end
return {now, results}
`
  return { name, keys: keys.length, args: args.length, lua }
}

// The first argument is the deadline on the server's clock. A command that ioredis sends again, or that a stopped
// server reads when it continues, arrives after the deadline and does nothing. A negative time in the reply says so.
const TIME = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`
const PROLOGUE = `${TIME}if now > tonumber(table.remove(ARGV, 1)) then return {-now} end
`
const EPILOGUE = `local result = body()
if result == nil then result = false end
return {now, result}
`

/**
 * Does nothing but tell the time and the server's `maxmemory-policy`, where its user may know it: it is the PING that shows
 * that the server answers again.
 */
export const probeScript: RedisScript = defineScript(
  'probe',
  1,
  `local info = redis.pcall('INFO', 'memory')
return type(info) == 'string' and string.match(info, 'maxmemory_policy:([%w-]+)') or ''`,
)

type Command = (...args: (string | number | Buffer)[]) => Promise<unknown>

/**
 * The client's command for a script; it takes the number of keys first. The name carries a hash of the script, so two versions of a
 * package on one client do not overwrite each other.
 */
export function commandOf(redis: RedisClient, script: RedisScript): Command {
  let name = names.get(script)
  if (name === undefined) {
    name = `countersign_${script.name}_${createHash('sha256').update(script.lua).digest('hex').slice(0, 16)}`
    names.set(script, name)
  }
  const commands = redis as unknown as Record<string, Command | undefined>
  if (commands[name] === undefined) redis.defineCommand(name, { lua: script.lua })
  const command = (commands[name] as Command).bind(redis)
  return redis.options.enableAutoPipelining === true ? besidePipelines(redis, command) : command
}

/**
 * A pipeline of ioredis waits for the one before, so a slow command of the app's would hold ours back. And it throws,
 * where nobody can catch it, when it meets a command that was defined after it was begun. Which way a command takes is
 * settled while it is called.
 */
function besidePipelines(redis: RedisClient, command: Command): Command {
  return (...args) => {
    const options = redis.options as { enableAutoPipelining?: boolean }
    options.enableAutoPipelining = false
    try {
      return command(...args)
    } finally {
      options.enableAutoPipelining = true
    }
  }
}

const names = new WeakMap<RedisScript, string>()
