import { defineScript } from '@countersign/redis'
import { MOST_WRONG_CODES, REPEAT_MS, TOMBSTONE_MS, TOUCH_PART } from './rules.js'

// Everything of one user lies under one hash tag, so each script stays in one slot. `prefix` is that tag; the keys that
// a script works out from a record (epoch, index, another session) begin with it. Fields of a session: h hash, p user
// key, e epoch, st state, c created, x expires, t last seen, i idle ms, v verified, d content, l link, id identity,
// m most sessions. Of a link: h, p, e, d, x, k code hash, n wrong codes, s holder, at attempt, o spent at.
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
local function view(id, row)
  return {id, row.st, row.d, row.id or '', row.l or '', row.c, row.x, row.t, tostring(now - row.v)}
end
local function epochOf(user, fallback, ttl)
  local key = prefix .. 'e:' .. user
  local current = redis.call('GET', key)
  if not current then
    redis.call('SET', key, fallback, 'PX', ttl)
    return fallback
  end
  if redis.call('PTTL', key) < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
  return current
end
local function finish(id, row)
  redis.call('HSET', prefix .. 's:' .. id, 'st', 'ended')
  redis.call('ZREM', prefix .. 'x:' .. row.p, id)
end
local function enter(id, row)
  local key = prefix .. 'x:' .. row.p
  redis.call('ZADD', key, now, id)
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
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(flat))
  redis.call('PEXPIRE', key, row.x - now + ${TOMBSTONE_MS})
  if row.st == 'active' then enter(id, row) end
end
local function linkRefusal(link)
  if not link or link.h ~= ARGV[2] then return 'unknown' end
  if link.o then return 'spent' end
  if now >= tonumber(link.x) then return 'expired' end
  if not epochStands(link) then return 'revoked' end
end
`

// A server that would refuse a write (a master that became a replica, one without its quorum) must not vouch for a
// session. This writes nothing, and because it is a write it also lets what follows through when memory is full.
const MUST_BE_MASTER = `redis.call('DEL', prefix .. 'none')
`

const define = (name: string, keys: number, body: string) => defineScript(name, keys, LIBRARY + body)

/** KEYS: link. ARGV: prefix, hash, user key, epoch, epoch ttl, content, ttl, code hash. */
export const issueLinkScript = define(
  'settings_issue_link',
  1,
  `local expires = now + ARGV[7]
local epoch = epochOf(ARGV[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'h', ARGV[2], 'p', ARGV[3], 'e', epoch, 'd', ARGV[6], 'x', expires, 'n', 0)
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'k', ARGV[8]) end
redis.call('PEXPIRE', KEYS[1], ARGV[7] + ${TOMBSTONE_MS})
return tostring(expires)`,
)

/** KEYS: link. ARGV: prefix, hash. */
export const peekLinkScript = define(
  'settings_peek_link',
  1,
  `${MUST_BE_MASTER}local link = load(KEYS[1])
local reason = linkRefusal(link)
if reason then return {reason} end
return {'open', link.d, link.x, link.k and 1 or 0}`,
)

/**
 * KEYS: link, session. ARGV: prefix, link hash, link tag, session hash, session tag, attempt, state, idle ms, absolute
 * ms, most sessions, code hash.
 */
export const exchangeScript = define(
  'settings_exchange',
  2,
  `local link = load(KEYS[1])
local id = ARGV[5]
if link and link.h == ARGV[2] and link.at == ARGV[6] and (not link.o or now < link.o + ${REPEAT_MS}) then
  local first = load(KEYS[2])
  if not refusal(first, ARGV[4]) then return {'opened', view(id, first), 1} end
end
local reason = linkRefusal(link)
if reason then return {reason} end
if link.k and link.k ~= ARGV[11] then
  if redis.call('HINCRBY', KEYS[1], 'n', 1) < ${MOST_WRONG_CODES} then return {'wrong_code'} end
  redis.call('HSET', KEYS[1], 'o', now)
  return {'spent'}
end
redis.call('HSET', KEYS[1], 's', id, 'at', ARGV[6])
if ARGV[7] == 'active' then redis.call('HSET', KEYS[1], 'o', now) end
local row = {
  h = ARGV[4], p = link.p, e = epochOf(link.p, link.e, ARGV[9]), st = ARGV[7], c = now, x = now + ARGV[9], t = now,
  i = ARGV[8], v = now, d = link.d, l = ARGV[3], m = ARGV[10],
}
create(id, row)
if link.s and link.s ~= id then
  local holder = load(prefix .. 's:' .. link.s)
  if holder then finish(link.s, holder) end
end
return {'opened', view(id, row), 0}`,
)

/** KEYS: session. ARGV: prefix, hash, id, user key, epoch, content, state, idle ms, absolute ms, most sessions. */
export const openSessionScript = define(
  'settings_open_session',
  1,
  `local row = {
  h = ARGV[2], p = ARGV[4], e = epochOf(ARGV[4], ARGV[5], ARGV[9]), st = ARGV[7], c = now, x = now + ARGV[9], t = now,
  i = ARGV[8], v = now, d = ARGV[6], m = ARGV[10],
}
create(ARGV[3], row)
return {'found', view(ARGV[3], row)}`,
)

/** KEYS: session. ARGV: prefix, hash, id. */
export const readScript = define(
  'settings_read',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
local reason = refusal(row, ARGV[2])
if reason then return {reason} end
if now - row.t >= row.i / ${TOUCH_PART} then
  redis.call('HSET', KEYS[1], 't', now)
  row.t = tostring(now)
end
return {'found', view(ARGV[3], row)}`,
)

/** KEYS: session. ARGV: prefix, hash or nothing, id. */
export const revokeScript = define(
  'settings_revoke',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
if not row then return nil end
if refusal(row, ARGV[2] == '' and row.h or ARGV[2]) then return nil end
finish(ARGV[3], row)
return view(ARGV[3], row)`,
)

/** KEYS: epoch, index. ARGV: prefix. */
export const revokeAllScript = define('settings_revoke_all', 2, `redis.call('DEL', KEYS[1], KEYS[2])`)

/** KEYS: index. ARGV: prefix. */
export const listScript = define(
  'settings_list',
  1,
  `${MUST_BE_MASTER}local list = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local row = load(prefix .. 's:' .. id)
  if row and not refusal(row, row.h) then list[#list + 1] = view(id, row) end
end
return list`,
)
