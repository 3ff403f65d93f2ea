import { defineScript, type RedisScript } from '@countersign/redis'
import { NUMBERS, STANDING } from './lua.js'

// SETRANGE of nothing on a key that is not there changes nothing, but is refused when memory is full or the server is a
// replica: before anything was written.
const BODY = `redis.call('SETRANGE', KEYS[6], 0, '')
${NUMBERS}${STANDING}
local id, digest, threadId, providerId, sessionId, capabilities = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local thread, provider, epoch, onExisting, generation = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local idleMs, coalesce, maxLife, absoluteMs, retention, overlap, most =
  tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local onTouch = ARGV[19] == '1'

if redis.call('EXISTS', KEYS[6]) == 1 then return {'retired'} end
local known = redis.call('HMGET', KEYS[1], 'd', 'i', 'x', 'l')
if known[1] then
  if known[1] ~= digest then return {'taken'} end
  return {'issued', known[2], known[3], known[4], {}, {}}
end
local due = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', '(' .. text(now), 'LIMIT', 0, 100)
if #due > 0 then
  redis.call('ZREM', KEYS[7], unpack(due))
  redis.call('ZREM', KEYS[8], unpack(due))
end
local last = tonumber(redis.call('HGET', KEYS[2], 'n:' .. provider) or 0)
if onExisting == 'carry' and text(last) ~= generation then return {'again'} end
local prefix = thread .. provider
local existing = redis.call('ZRANGEBYLEX', KEYS[7], '[' .. prefix, '[' .. prefix .. '~')
local count = redis.call('ZLEXCOUNT', KEYS[7], '[' .. thread, '[' .. thread .. '~')
local ends = onExisting == 'supersede' and overlap == 0
if ends then count = count - #existing end
if count >= most then return {'crowded'} end

local absolute = absoluteMs and now + absoluteMs or math.huge
local expires, idle = math.min(now + maxLife, absolute), now + idleMs + coalesce
local gone = math.min(expires, idle) + retention
local ttl = text(gone - now)
local function epochOf(key)
  local current = redis.call('GET', key)
  if current then redis.call('PEXPIRE', key, ttl, 'GT') return current end
  redis.call('SET', key, epoch, 'PX', ttl)
  return epoch
end
local function stretch(key)
  if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ttl) else redis.call('PEXPIRE', key, ttl, 'GT') end
end
local threadEpoch = redis.call('HGET', KEYS[2], 'e')
if not threadEpoch then
  threadEpoch = epoch
  redis.call('HSET', KEYS[2], 'e', epoch, 'rf', text(now))
end
local providerEpoch, allEpoch = epochOf(KEYS[3]), epochOf(KEYS[5])
local sessionEpoch = sessionId == '' and '' or epochOf(KEYS[4])

local carried = {}
if onExisting == 'carry' then
  local standings, aliases = threadOf(KEYS[2], provider), {}
  for index = 0, (#KEYS - 8) / 2 - 1 do
    local key, old = KEYS[9 + 2 * index], ARGV[20 + index]
    local state = redis.call('HMGET', key, 'o', 'r')
    if state[1] and not state[2] then
      aliases[#aliases + 1] = {key, old, state[1]}
    else
      local h = redis.call('HMGET', key, unpack(FIELDS))
      local session = h[11] and h[11] ~= '' and redis.call('GET', KEYS[10 + 2 * index])
      if h[1] and judge(h, standings, providerEpoch, session, allEpoch, maxLife, onTouch) == 'live' then
        carried[#carried + 1], carried[old] = old, true
        redis.call('HSET', key, 'o', id)
        redis.call('PEXPIRE', key, text(maxLife + retention), 'GT')
        redis.call('ZADD', KEYS[8], 'XX', 'GT', text(now + maxLife + retention), old)
      end
    end
  end
  for _, alias in ipairs(aliases) do
    if carried[alias[3]] then
      redis.call('HSET', alias[1], 'o', id)
      carried[#carried + 1] = alias[2]
    end
  end
end

local superseded = {}
if onExisting == 'supersede' then
  superseded = existing
  local first, ranges = tonumber(redis.call('HGET', KEYS[2], 'm:' .. provider) or 0), ''
  for from, to, usable in string.gmatch(redis.call('HGET', KEYS[2], 'o:' .. provider) or '', '(%d+)-(%d+)@(%d+);') do
    if now <= tonumber(usable) then
      local limit = ends and now - 1 or math.min(tonumber(usable), now + overlap)
      ranges = ranges .. from .. '-' .. to .. '@' .. text(limit) .. ';'
    end
  end
  if overlap > 0 and last >= first then ranges = ranges .. text(first) .. '-' .. text(last) .. '@' .. text(now + overlap) .. ';' end
  redis.call('HSET', KEYS[2], 'm:' .. provider, text(last + 1), 'o:' .. provider, ranges)
  for _, old in ipairs(existing) do
    if ends then
      redis.call('ZREM', KEYS[7], old)
      redis.call('ZREM', KEYS[8], old)
    else
      redis.call('ZADD', KEYS[8], 'XX', 'LT', text(now + overlap), old)
    end
  end
end

redis.call('HSET', KEYS[2], 'n:' .. provider, text(last + 1))
redis.call('HSET', KEYS[1], 'd', digest, 't', threadId, 'p', providerId, 's', sessionId, 'c', capabilities, 'i', text(now),
  'x', text(expires), 'l', text(idle), 'a', absoluteMs and text(absolute) or '', 'et', threadEpoch, 'ep', providerEpoch,
  'es', sessionEpoch, 'ea', allEpoch, 'g', text(last + 1))
redis.call('PEXPIRE', KEYS[1], ttl)
redis.call('ZADD', KEYS[7], 0, id)
redis.call('ZADD', KEYS[8], text(gone), id)
stretch(KEYS[2])
stretch(KEYS[7])
stretch(KEYS[8])
return {'issued', text(now), text(expires), text(idle), superseded, carried}`

/**
 * Issues one credential.
 *
 * KEYS: record, thread, provider, session, all, retired, names, deadlines, then for each old one that may be carried
 * its record and its session. Answers `['issued', i, x, l, superseded, carried]`, `['retired']`, `['crowded']`,
 * `['again']` when another was issued since the old ones were read, or `['taken']`.
 */
export const issueScript: RedisScript = defineScript('mcp_issue', 8, BODY)
