import { defineScript, type RedisScript } from '@countersign/redis'
import { FENCE, KEEP, NUMBERS, STANDING } from './lua.js'

/** A credential whose issuing was never acknowledged dies after so long. */
const PROBATION_MS = 60_000

// SETRANGE of nothing on a key that is not there changes nothing, but is refused when memory is full or the server is a
// replica: before anything was written.
const BODY = `redis.call('SETRANGE', KEYS[6], 0, '')
${NUMBERS}
local id, digest, threadId, providerId, sessionId, capabilities = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local thread, provider, epoch, ends = ARGV[7], ARGV[8], ARGV[9], ARGV[10] == '1'
local idleMs, coalesce, maxLife, absoluteMs, retention, most =
  tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local wanted, generation = ARGV[17], tonumber(ARGV[18])

if redis.call('EXISTS', KEYS[6]) == 1 then return {'retired'} end
local known = redis.call('HMGET', KEYS[1], 'd', 'i', 'x', 'l', 'et', 'ep', 'es', 'ea', 'g')
if known[1] then
  if known[1] ~= digest then return {'taken'} end
  return {'issued', known[2], known[3], known[4], table.concat({known[5], known[6], known[7], known[8]}, ' '), known[9]}
end
if wanted ~= '' then
  local function valueOf(key) return redis.call('GET', key) or '' end
  local session = sessionId == '' and '' or valueOf(KEYS[4])
  local epochs = {redis.call('HGET', KEYS[2], 'e') or '', valueOf(KEYS[3]), session, valueOf(KEYS[5])}
  if table.concat(epochs, ' ') ~= wanted then return {'ended'} end
end
local due = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', '(' .. text(now), 'LIMIT', 0, 100)
if #due > 0 then
  redis.call('ZREM', KEYS[7], unpack(due))
  redis.call('ZREM', KEYS[8], unpack(due))
end
local last = tonumber(redis.call('HGET', KEYS[2], 'n:' .. provider) or 0)
local own = generation or last + 1
local count = redis.call('ZLEXCOUNT', KEYS[7], '[' .. thread, '[' .. thread .. '~')
if ends then
  local prefix = thread .. provider
  count = count - redis.call('ZLEXCOUNT', KEYS[7], '[' .. prefix, '[' .. prefix .. '~')
end
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

redis.call('HSET', KEYS[2], 'n:' .. provider, text(math.max(last, own)))
redis.call('HSET', KEYS[1], 'd', digest, 't', threadId, 'p', providerId, 's', sessionId, 'c', capabilities, 'i', text(now),
  'x', text(expires), 'l', text(idle), 'a', absoluteMs and text(absolute) or '', 'et', threadEpoch, 'ep', providerEpoch,
  'es', sessionEpoch, 'ea', allEpoch, 'g', text(own))
-- Nobody may hold it yet: until it is confirmed or used it dies soon, and is in no index.
redis.call('HSET', KEYS[1], 'w', 1)
redis.call('PEXPIRE', KEYS[1], ${PROBATION_MS})
stretch(KEYS[2])
local epochs = table.concat({threadEpoch, providerEpoch, sessionEpoch, allEpoch}, ' ')
return {'issued', text(now), text(expires), text(idle), epochs, text(own)}`

const CONFIRM = `${FENCE}${NUMBERS}${STANDING}${KEEP}
local id, provider, onExisting, generation = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local maxLife, retention, overlap, onTouch = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
local prefix = ARGV[9]
local row = redis.call('HMGET', KEYS[1], 'd', 'g', 'x', 'l', 'z', 'zc', 'r', 'ep', 'ea', 'et')
if not row[1] then return {'gone'} end
local function list(words)
  local found = {}
  for word in string.gmatch(words or '', '%S+') do found[#found + 1] = word end
  return found
end
if row[5] then return {'done', list(row[5]), list(row[6])} end
-- Revoked meanwhile, alone or with its thread: it replaces nothing.
if row[7] or redis.call('HGET', KEYS[2], 'e') ~= row[10] then return {'done', {}, {}} end
local own, last = tonumber(row[2]), tonumber(redis.call('HGET', KEYS[2], 'n:' .. provider) or 0)
if onExisting == 'carry' and (redis.call('HGET', KEYS[2], 'q:' .. provider) or '0') ~= generation then return {'again'} end

local carried = {}
if onExisting == 'carry' then
  local standings, aliases = threadOf(KEYS[2], provider), {}
  for index = 0, (#KEYS - 4) / 2 - 1 do
    local key, old = KEYS[5 + 2 * index], ARGV[10 + index]
    local state = redis.call('HMGET', key, 'o', 'r')
    if state[1] and not state[2] then
      aliases[#aliases + 1] = {key, old, state[1]}
    else
      local h = redis.call('HMGET', key, unpack(FIELDS))
      local session = h[11] and h[11] ~= '' and redis.call('GET', KEYS[6 + 2 * index])
      if h[1] and judge(h, standings, row[8], session, row[9], maxLife, onTouch) == 'live' then
        carried[#carried + 1], carried[old] = old, true
        redis.call('HSET', key, 'o', id)
        redis.call('PEXPIRE', key, text(maxLife + retention), 'GT')
        redis.call('ZADD', KEYS[4], 'XX', 'GT', text(now + maxLife + retention), old)
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
local first = tonumber(redis.call('HGET', KEYS[2], 'm:' .. provider) or 0)
if onExisting == 'supersede' and own > first then
  local ends, ranges = overlap == 0, ''
  -- What was issued since is in the index too: then the newer one tells what became of the old ones.
  if own == last then
    for _, old in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], '[' .. prefix, '[' .. prefix .. '~')) do
      if old ~= id then superseded[#superseded + 1] = old end
    end
  end
  for from, to, usable in string.gmatch(redis.call('HGET', KEYS[2], 'o:' .. provider) or '', '(%d+)-(%d+)@(%d+);') do
    if now <= tonumber(usable) then
      local limit = ends and now - 1 or math.min(tonumber(usable), now + overlap)
      ranges = ranges .. from .. '-' .. to .. '@' .. text(limit) .. ';'
    end
  end
  if overlap > 0 then ranges = ranges .. text(first) .. '-' .. text(own - 1) .. '@' .. text(now + overlap) .. ';' end
  redis.call('HSET', KEYS[2], 'm:' .. provider, text(own), 'o:' .. provider, ranges)
  for _, old in ipairs(superseded) do
    if ends then
      redis.call('ZREM', KEYS[3], old)
      redis.call('ZREM', KEYS[4], old)
    else
      redis.call('ZADD', KEYS[4], 'XX', 'LT', text(now + overlap), old)
    end
  end
end
redis.call('HINCRBY', KEYS[2], 'q:' .. provider, 1)
redis.call('HSET', KEYS[1], 'z', table.concat(superseded, ' '), 'zc', table.concat(carried, ' '))
-- One that a newer one has superseded is in no index.
if own >= first then keep(KEYS[1], KEYS[3], KEYS[4], id, math.min(tonumber(row[3]), tonumber(row[4])) + retention) end
return {'done', superseded, carried}`

/**
 * First step: writes one credential that nobody holds yet. Sent again, it answers the same. One that died on probation is
 * written again with the epochs and the generation that it had: when an epoch has ended since, it stays dead, and what was
 * issued since stays the newer one.
 *
 * KEYS: record, thread, provider, session, all, retired, names, deadlines. Answers `['issued', i, x, l, epochs, generation]`,
 * `['retired']`, `['crowded']`, `['ended']`, or `['taken']`.
 */
export const issueScript: RedisScript = defineScript('mcp_issue', 8, BODY)

/**
 * Second step, when the first is acknowledged: keeps the credential, and supersedes or carries the others. Sent again, it
 * answers the same.
 *
 * KEYS: record, thread, names, deadlines, then for each old one that may be carried its record and its session. Answers
 * `['done', superseded, carried]`, `['gone']` when the credential died before, or `['again']` when another was confirmed
 * since the old ones were read.
 */
export const confirmScript: RedisScript = defineScript('mcp_confirm', 4, CONFIRM)
