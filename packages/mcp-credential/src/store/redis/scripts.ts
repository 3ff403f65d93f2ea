import { defineScript, type RedisScript } from '@countersign/redis/store'
import { FENCE, NUMBERS, tell } from './lua.js'

/** How long the result of a revocation is kept for a client that sends it again. */
const ATTEMPT_TTL_MS = 60_000

/** KEYS: record, names, deadlines. ARGV: id, attempt, retention, channel. The mark is in the record, so no clock ends it. */
export const revokeScript: RedisScript = defineScript(
  'mcp_revoke',
  3,
  `${FENCE}${NUMBERS}
local state = redis.call('HMGET', KEYS[1], 'k', 'r', 'w', 'o', 'zc', 'v')
if not state[1] then
  -- It may have died on probation, and its issuer may be about to write it again: the id is taken from now on.
  redis.call('HSET', KEYS[1], 'k', '', 'r', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 0
end
if state[1] == '' then return 0 end
if state[2] then return state[2] == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'r', ARGV[2])
local packed = state[6] or state[3]
if packed then
  redis.call('HSET', KEYS[1], 'e', packed)
  redis.call('HDEL', KEYS[1], 'v', 'w')
end
-- One on probation would be forgotten sooner than its issuer stops to write it again.
if state[3] then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('PEXPIRE', KEYS[1], ARGV[3], 'LT') end
local function leave(id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
leave(ARGV[1])
-- Its aliases end with it. Those of an alias stand for another one.
if not state[4] then
  for alias in string.gmatch(state[5] or '', '%S+') do leave(alias) end
end
${tell('4', "'credential ' .. ARGV[1]")}
return 1`,
)

const FORGET_NAMES = `local function forgetNames(names, deadlines, prefix)
  local ids = redis.call('ZRANGEBYLEX', names, '[' .. prefix, '[' .. prefix .. '~')
  for _, id in ipairs(ids) do
    redis.call('ZREM', names, id)
    redis.call('ZREM', deadlines, id)
  end
end
`

/**
 * Deletes epochs. KEYS, for each partition: epoch, attempt, names, deadlines. ARGV: scope, its hash, channel. Answers 1 when
 * there was any. What was issued between a revocation and its repetition by the client stays.
 */
export const revokeScopeScript: RedisScript = defineScript(
  'mcp_revoke_scope',
  4,
  `${FORGET_NAMES}
local found, ended = 0, 0
for at = 1, #KEYS, 4 do
  local epoch, attempt, names, deadlines = KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  local had = tonumber(redis.call('GET', attempt))
  if not had then
    had = redis.call('UNLINK', epoch)
    redis.call('SET', attempt, had, 'PX', ${ATTEMPT_TTL_MS})
    if ARGV[1] == 'thread' then forgetNames(names, deadlines, ARGV[2]) end
    if ARGV[1] == 'all' then redis.call('UNLINK', names, deadlines) end
    ended = math.max(ended, had)
  end
  found = math.max(found, had)
end
if ended > 0 then ${tell('3', "ARGV[1] .. ' ' .. ARGV[2]")} end
return found`,
)

/** KEYS: thread, attempt, names, deadlines, retired. ARGV: thread's hash, block in ms, channel. Sent again, it answers the same. */
export const retireScript: RedisScript = defineScript(
  'mcp_retire',
  5,
  `${FORGET_NAMES}
local known = redis.call('GET', KEYS[2])
if known then return tonumber(known) end
local had = redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], had, 'PX', ${ATTEMPT_TTL_MS})
redis.call('SET', KEYS[5], '1', 'PX', ARGV[2])
forgetNames(KEYS[3], KEYS[4], ARGV[1])
if had > 0 then ${tell('3', "'thread ' .. ARGV[1]")} end
return had`,
)

/**
 * Notes that a thread is alive. KEYS: thread. ARGV: idle, coalesce, maximum life, retention, what to do. Answers 0 when
 * there is no such thread, 2 when the records of the thread must be extended; call it with `refreshed` after that.
 */
export const touchScript: RedisScript = defineScript(
  'mcp_touch',
  1,
  `${FENCE}${NUMBERS}
local thread = redis.call('HMGET', KEYS[1], 'e', 'as', 'au', 'at', 'rf')
if not thread[1] then return 0 end
if ARGV[5] == 'look' then return 1 end
local idleMs, coalesce, maxLife, retention = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local isDue = now - (tonumber(thread[5]) or 0) >= retention / 4
if ARGV[5] == 'refreshed' then
  if isDue then redis.call('HSET', KEYS[1], 'rf', text(now)) end
  return 1
end
local alive, touched = tonumber(thread[3]), tonumber(thread[4])
local limit = now + idleMs + coalesce
if not alive or now > alive or now > touched + maxLife then
  redis.call('HSET', KEYS[1], 'as', text(now), 'au', text(limit), 'at', text(now))
elseif limit - alive >= coalesce then
  redis.call('HSET', KEYS[1], 'au', text(limit), 'at', text(now))
end
redis.call('PEXPIRE', KEYS[1], text(limit + retention - now), 'GT')
return isDue and 2 or 1`,
)

/** For longer than a session lasts: one that is lost makes clients initialize again. */
const SESSION_KEY_TTL_MS = 90 * 86_400_000

/** The key that there is, or this one from now on. KEYS: session key. ARGV: a new key. */
export const sessionKeyScript: RedisScript = defineScript(
  'mcp_session_key',
  1,
  `local known = redis.call('GET', KEYS[1]) or ARGV[1]
redis.call('SET', KEYS[1], known, 'PX', ${SESSION_KEY_TTL_MS})
return known`,
)

/** The ids below a prefix, after a cursor. KEYS: names, thread. ARGV: lower bound, upper bound, limit, provider's hash. */
export const namesScript: RedisScript = defineScript(
  'mcp_names',
  2,
  `local ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
return {redis.call('HGET', KEYS[2], 'q:' .. ARGV[4]) or '0', ids}`,
)

/** Lets the aliases of a credential that slid stay as long as it does. KEYS: their records. ARGV: until when. */
export const extendScript: RedisScript = defineScript(
  'mcp_extend',
  1,
  `for _, record in ipairs(KEYS) do redis.call('PEXPIREAT', record, ARGV[1], 'GT') end
return #KEYS`,
)

/** Takes ids out of the index. KEYS: names, deadlines. ARGV: ids. */
export const forgetScript: RedisScript = defineScript(
  'mcp_forget',
  2,
  `for _, id in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
return #ARGV`,
)
