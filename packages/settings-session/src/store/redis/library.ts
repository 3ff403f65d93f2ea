import { defineScript, type RedisScript } from '@countersign/redis'
import { TOMBSTONE_MS } from '../rules.js'

// Everything of one user lies under one hash tag, so each script stays in one slot. `prefix` is that tag; the keys that
// a script works out from a record (epoch, index, another session) begin with it. Fields of a session: h hash, p user
// key, e epoch, st state, c created, x expires, t last seen, i idle ms, v verified, d content, l link, id identity,
// m most sessions, q claimed identity, qk its key, qa the answer to the claim.
// Of a link: h, p, e, d, x, k code hash, n wrong codes, s holder, at attempt, o spent at.
const LIBRARY = `local prefix = ARGV[1]
local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local row = {}
  for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
  return row
end
local function epochStands(row)
  return redis.call('GET', prefix .. 'e:' .. row.p) == row.e
end
local function refusal(row, hash)
  if not row or row.h ~= hash then return 'unknown' end
  if row.st == 'ended' then return 'revoked' end
  if now >= tonumber(row.x) then return 'expired' end
  if now >= row.t + row.i then return 'idle' end
  if not epochStands(row) then return 'revoked' end
end
-- What a script answers to what it refuses: the reason, and for how many ms it has been late.
local function refused(reason, row)
  if reason == 'expired' then return {reason, now - row.x} end
  if reason == 'idle' then return {reason, now - row.t - row.i} end
  return {reason}
end
-- The sessions that another one ended: id and cause, in turn.
local ended = {}
local function view(id, row)
  local values = {id, row.st, row.d, row.id or '', row.l or '', row.c, row.x, row.t, now - row.v, row.q or '', row.qa or ''}
  return table.concat(values, '\\n')
end
local function epochOf(user, fallback, ttl)
  local key = prefix .. 'e:' .. user
  local current = redis.call('GET', key)
  if not current then
    redis.call('SET', key, fallback, 'PX', ttl)
    return fallback
  end
  -- A SET and not a PEXPIRE: what comes first must be refused when memory is full.
  if redis.call('PTTL', key) < tonumber(ttl) then redis.call('SET', key, current, 'PX', ttl) end
  return current
end
local function finish(id, row)
  redis.call('HSET', prefix .. 's:' .. id, 'st', 'ended')
  redis.call('ZREM', prefix .. 'x:' .. row.p, id)
end
local function enter(id, row)
  local key = prefix .. 'x:' .. row.p
  -- In microseconds: of two that were opened within one millisecond it is still known which is the older.
  redis.call('ZADD', key, time[1] * 1000000 + time[2], id)
  redis.call('PEXPIRE', key, row.x - now + ${TOMBSTONE_MS})
  local alive = {}
  for _, other in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local found = load(prefix .. 's:' .. other)
    if found and not refusal(found, found.h) then alive[#alive + 1] = {other, found}
    else redis.call('ZREM', key, other) end
  end
  local surplus = #alive - tonumber(row.m)
  for i = 1, #alive do
    if surplus > 0 and alive[i][1] ~= id then
      finish(alive[i][1], alive[i][2])
      ended[#ended + 1] = alive[i][1]
      ended[#ended + 1] = 'max_sessions'
      surplus = surplus - 1
    end
  end
end
local function create(id, row)
  local flat = {}
  for name, value in pairs(row) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  local key = prefix .. 's:' .. id
  redis.call('HSET', key, unpack(flat))
  redis.call('HDEL', key, 'id', 'q', 'qk', 'qa')
  redis.call('PEXPIRE', key, row.x - now + ${TOMBSTONE_MS})
  if row.st == 'active' then enter(id, row) end
end
local function spendLink(row)
  local key = prefix .. 'l:' .. (row.l or '')
  if row.l and redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'o', now) end
end
local function linkRefusal(link)
  if not link or link.h ~= ARGV[2] then return 'unknown' end
  if link.o then return 'spent' end
  if now >= tonumber(link.x) then return 'expired' end
  if not epochStands(link) then return 'revoked' end
end
`

/**
 * The start of a script that only reads. A server that would refuse a write (a master that became a replica, or one without
 * its quorum) must not vouch for a session. This command writes nothing, but it is a write; so it also lets what follows
 * through when memory is full.
 */
export const MUST_BE_MASTER: string = `redis.call('DEL', prefix .. 'none')
`

/** A script over the records of one user. */
export const defineSettingsScript = (name: string, keys: number, body: string): RedisScript =>
  defineScript(`settings_${name}`, keys, LIBRARY + body)
