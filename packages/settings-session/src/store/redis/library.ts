import { defineScript, type RedisScript } from '@countersign/redis/store'
import { ANSWER_MS, ENDED_MS, MAX_WRONG_CODES, RELEASE_MS, TOMBSTONE_MS } from '../rules.js'
import { DECLARE } from './places.js'

// Everything of one user lies under one hash tag, so each script stays in one slot. `prefix` is that tag, as the app
// knows it; the client may put its own keyPrefix before every declared key, so a script touches declared keys alone. What
// it finds out from a record it looks up among them, and asks for what is not there: it answers `declare` and the names,
// before it changed anything, and is called again. Fields of a session: h hash, p user
// key, e epoch, st state, c created, x expires, t last seen, i idle ms, v verified, d content, l link, id identity,
// m most sessions, q claimed identity, qk its key, qa the answer to the claim; of one that is another user's, qf that user's key,
// and qn 1 when the app allowed it; pk what `readPlainScript`
// reads: whatever changes one of the others but t deletes it.
// Of a link: h, p, e, d, x, k code hash, n wrong codes, s holder, at attempt, o spent at.
const LIBRARY = `local prefix = ARGV[1]
local declared = {}
for _, key in ipairs(KEYS) do
  local _, last = string.find(key, prefix, 1, true)
  declared[string.sub(key, last + 1)] = key
end
local function lacks(...)
  local reply = {'${DECLARE}'}
  for _, name in ipairs({...}) do
    if not declared[name] then reply[#reply + 1] = name end
  end
  if #reply > 1 then return reply end
end
local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local row = {}
  for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
  return row
end
local function lacksAround(row)
  return lacks('e:' .. row.p, 'x:' .. row.p, row.l and 'l:' .. row.l)
end
local function lacksIndexed(user)
  local lacking = lacks('e:' .. user, 'x:' .. user)
  if lacking then return lacking end
  local names = {}
  for _, id in ipairs(redis.call('ZRANGE', declared['x:' .. user], 0, -1)) do names[#names + 1] = 's:' .. id end
  -- In parts: the stack of Lua is bounded.
  for from = 1, #names, 1000 do
    lacking = lacks(unpack(names, from, math.min(from + 999, #names)))
    if lacking then return lacking end
  end
end
local function epochStands(row)
  return redis.call('GET', declared['e:' .. row.p]) == row.e
end
-- One that is good for a release alone ends sooner.
local function endOf(row)
  if row.qa ~= 'taken' and row.qa ~= 'released' then return tonumber(row.x) end
  return math.min(row.x, row.v + ${RELEASE_MS})
end
local function refusal(row, hash)
  if not row or row.h ~= hash then return 'unknown' end
  if row.st == 'ended' then return 'revoked' end
  if now >= endOf(row) then return 'expired' end
  if now >= row.t + row.i then return 'idle' end
  if not epochStands(row) then return 'revoked' end
end
-- What a script answers to what it refuses: the reason, and for how many ms it has been late.
local function refused(reason, row)
  if reason == 'expired' then return {reason, now - endOf(row)} end
  if reason == 'idle' then return {reason, now - row.t - row.i} end
  return {reason}
end
-- The sessions that another one ended: id and cause, in turn.
local ended = {}
local function view(id, row)
  local values = {id, row.st, row.d, row.id or '', row.l or '', row.c, row.x, row.t, now - row.v, row.q or '', row.qa or '', row.qn or ''}
  return table.concat(values, '\\n')
end
local function epochOf(user, fallback, ttl)
  local key = declared['e:' .. user]
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
  redis.call('HSET', declared['s:' .. id], 'st', 'ended')
  redis.call('HDEL', declared['s:' .. id], 'pk')
  redis.call('PEXPIRE', declared['s:' .. id], ${ENDED_MS}, 'LT')
  redis.call('ZREM', declared['x:' .. row.p], id)
end
local function enter(id, row)
  local key = declared['x:' .. row.p]
  -- In microseconds: of two that were opened within one millisecond it is still known which is the older.
  redis.call('ZADD', key, time[1] * 1000000 + time[2], id)
  redis.call('PEXPIRE', key, row.x - now + ${TOMBSTONE_MS})
  local alive = {}
  for _, other in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local found = load(declared['s:' .. other])
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
  local key = declared['s:' .. id]
  redis.call('HSET', key, unpack(flat))
  redis.call('HDEL', key, 'id', 'q', 'qk', 'qa', 'qf', 'qn', 'pk')
  redis.call('PEXPIRE', key, row.x - now + ${TOMBSTONE_MS})
  if row.st == 'active' then enter(id, row) end
end
local function spendLink(row)
  local key = row.l and declared['l:' .. row.l]
  if key and redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'o', now) end
end
local function freeLink(id, row)
  local key = row.l and declared['l:' .. row.l]
  if not key or redis.call('HGET', key, 's') ~= id then return end
  -- One that wrong codes have voided stays so.
  if tonumber(redis.call('HGET', key, 'n') or 0) < ${MAX_WRONG_CODES} then redis.call('HDEL', key, 'o', 'at', 's') end
end
local function linkRefusal(link)
  if not link or link.h ~= ARGV[2] then return 'unknown' end
  if link.o then return 'spent' end
  if now >= tonumber(link.x) then return 'expired' end
  if not epochStands(link) then return 'revoked' end
end
`

/**
 * The start of a script that only reads a hash. A server that would refuse a write (a master that became a replica, or one
 * without its quorum) must not vouch for a session. This command changes nothing, but it is a write; so it also lets what
 * follows through when memory is full.
 */
export const MUST_BE_MASTER: string = `redis.call('HDEL', KEYS[1], '')
`

// The client sends a command again whose answer was lost with the connection. The second run of a change would find what
// the first one did, and take it for somebody else's: so the first answer is kept under the attempt's id, with the change.
const ANSWER = `local kept = declared['a:' .. table.remove(ARGV, 2)]
local answered = redis.call('GET', kept)
if answered then return cjson.decode(answered) end
local function keep(answer)
  redis.call('SET', kept, cjson.encode(answer or false), 'PX', ${ANSWER_MS})
  return answer
end
`

/** A script that reads the records of one user. It may be given more keys than it takes at least. */
export const defineSettingsScript = (name: string, keys: number, body: string): RedisScript =>
  defineScript(`settings_${name}`, keys, LIBRARY + body)

/**
 * A script that changes the records of one user. It returns `keep(answer)` wherever it has written, as the last step: then
 * the same attempt, run again, gets that answer and changes nothing. What was not kept has changed nothing. Its caller
 * declares the attempt's key and passes its id after the prefix; the body's `ARGV` is without the id.
 */
export const defineSettingsChange = (name: string, keys: number, body: string): RedisScript =>
  defineScript(`settings_${name}`, keys + 1, LIBRARY + ANSWER + body)
